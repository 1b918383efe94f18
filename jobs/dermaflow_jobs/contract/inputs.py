"""What a run is given, as one hash: the same for both planes, so that either can say that there is nothing new."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import date

RawObject = tuple[str, int, str]
"""Path below raw/, size and ETag, as S3 lists them."""


def inputs_id(objects: Iterable[RawObject], until: date) -> str:
    """Over path, size and ETag of every object that a run up to `until` sees; labels.csv is one of them."""
    seen = sorted((path, size, etag.strip('"')) for path, size, etag in objects if is_seen(path, until))
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:32]


def is_seen(path: str, until: date) -> bool:
    """False for what lies in a day's folder, `dt=YYYY-MM-DD/`, later than `until`: it belongs to later runs."""
    folder, _, rest = path.partition("/")
    if not rest or not folder.startswith("dt="):
        return True
    try:
        return date.fromisoformat(folder.removeprefix("dt=")) <= until
    except ValueError:
        return True  # preprocess puts it into quarantine
