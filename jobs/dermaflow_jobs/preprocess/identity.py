"""Names that are hashes: of a dataset, and of what decides an image's pixels."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from importlib import resources
from importlib.metadata import version
from pathlib import PurePosixPath

from PIL import features

from dermaflow_jobs.contract.options import PreprocessOptions
from dermaflow_jobs.preprocess.decode import DecodeOptions
from dermaflow_jobs.preprocess.listing import Listing

log = logging.getLogger(__name__)

DECODING = ("colour.py", "decode.py", "duplicates.py", "images.py", "jpeg.py", "packs.py", "records.py", "worker.py")
"""Modules whose code decides what an image becomes."""
PLACING = (
    "assembly.py",
    "compare.py",
    "duplicates.py",
    "labels.py",
    "listing.py",
    "reasons.py",
    "shards.py",
    "split.py",
)
"""Modules whose code decides, besides, what a dataset becomes."""


def decoder_id(options: DecodeOptions) -> str:
    libraries = {name: version(name) for name in ("numpy", "pillow", "scipy", "simplejpeg")}
    codecs = {name: features.version(name) for name in ("jpg", "littlecms2", "webp", "zlib", "libtiff")}
    return _hash([_sources(DECODING), libraries, codecs, vars(options)])


def dataset_id(
    listing: Listing,
    labels_etag: str | None,
    classes: tuple[str, ...],
    options: PreprocessOptions,
    decoder: str,
    raw: str,
) -> str:
    """Over key below raw/, size and ETag of every object listed, the options, and the code that matters.

    What each of these came to is logged: it tells why a run made a dataset anew.
    """
    images = [(image.key, image.size, image.etag) for image in listing.images]
    others = [(other.key, other.size, other.reason.value) for other in listing.rejected]
    objects = sorted((key.removeprefix(raw), size, tag) for key, size, tag in (*images, *others))
    parts = {
        "objects": _hash(objects),
        "labels": labels_etag,
        "options": _hash([classes, options.model_dump()]),
        "decoder": decoder,
        "code": _hash(_sources(PLACING)),
    }
    identity = _hash(parts)
    log.info("dataset %s is made of %s", identity, parts)
    return identity


def shards_fingerprint(sha256s: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sha256s).encode()).hexdigest()


def _sources(names: Iterable[str]) -> dict[str, str]:
    package = resources.files("dermaflow_jobs.preprocess")
    return {PurePosixPath(name).stem: hashlib.sha256(package.joinpath(name).read_bytes()).hexdigest() for name in names}


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]
