"""Which objects below the prefix are to be scored, told by S3's listing alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from dermaflow_jobs.preprocess.listing import MAX_BYTES, NOT_IMAGES, RawObject
from dermaflow_jobs.preprocess.reasons import Reason, Rejected
from dermaflow_jobs.preprocess.worker import Source


@dataclass(frozen=True)
class NewImages:
    sources: tuple[Source, ...]
    """In order of key."""
    rejected: tuple[Rejected, ...]

    @property
    def listed(self) -> int:
        return len(self.sources) + len(self.rejected)


def sort_objects(objects: Iterable[RawObject]) -> NewImages:
    """Folder markers are passed over: they are S3's way of showing folders, not something somebody sent."""
    sources: list[Source] = []
    rejected: list[Rejected] = []
    for found in sorted(objects, key=lambda one: one.key):
        if found.key.endswith("/"):
            continue
        reason = _unusable(found)
        if reason:
            rejected.append(Rejected(found.key, found.size, reason))
        else:
            sources.append(Source(found.key, found.etag.strip('"'), found.size))
    return NewImages(tuple(sources), tuple(rejected))


def _unusable(found: RawObject) -> Reason | None:
    if PurePosixPath(found.key).suffix.lower() in NOT_IMAGES:
        return Reason.NOT_AN_IMAGE
    if found.size == 0:
        return Reason.EMPTY
    return Reason.TOO_MANY_BYTES if found.size > MAX_BYTES else None


def score_id(images: NewImages, *, model_key: str, model_etag: str, code: str) -> str:
    """Names what comes of these very objects, this very model and this code: the same again is found, not repeated."""
    objects = [(one.key, one.size, one.etag) for one in images.sources]
    others = [(one.key, one.size, one.reason.value) for one in images.rejected]
    text = json.dumps([sorted(objects), sorted(others), model_key, model_etag, code])
    return hashlib.sha256(text.encode()).hexdigest()[:32]
