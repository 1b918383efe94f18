"""One file's bytes → its entry: the serialized record, hashes, thumbnail. The innermost loop of the step."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Literal, TypeVar

from PIL import Image

from dermaflow_jobs.preprocess.decode import Decoded, DecodeOptions, Opened, Undecodable, decode_pixels, open_header
from dermaflow_jobs.preprocess.duplicates import thumbnail
from dermaflow_jobs.preprocess.records import features

RAW_UP_TO = 128
"""Sides up to this are kept as raw bytes, larger ones as JPEG: at 256 px a sixth of the bytes to store and stream."""
JPEG_QUALITY = 95

SAMPLE = 8 * 2**10

TOGETHER, TOGETHER_BYTES = 16, 32 * 2**20
"""Files that go through each part of the work at a time; fewer where they are large."""

T = TypeVar("T")
V = TypeVar("V")

Encoding = Literal["rgb8", "jpeg"]


def encoding_of(size: int) -> Encoding:
    return "rgb8" if size <= RAW_UP_TO else "jpeg"


@dataclass(frozen=True)
class Processed:
    record: bytes
    """Map entries of a tf.train.Example: what depends on the file's bytes alone."""
    thumb: Image.Image
    """Grey, THUMB a side, for comparison with other images."""
    content_sha256: str
    """See content_hash."""
    pixel_sha256: str
    """Of the record's pixels as raw RGB, before any compression."""
    width: int
    height: int
    synthetic: bool
    notes: str


def process(data: bytes, options: DecodeOptions) -> Processed | Undecodable:
    """One file; of many, `process_all` makes less work."""
    (found,) = process_all([data], options)
    return found


def process_all(files: Iterable[bytes | Undecodable], options: DecodeOptions) -> Iterator[Processed | Undecodable]:
    """What became of each, in order; an Undecodable goes through. Never raises for what the bytes are.

    A few files are all opened, then all decoded, then all described. Opening and describing are hundreds of small calls
    each, and a decoding drives them out of the processor's caches: an opening took 0.13 ms after one, 0.07 in a row.
    """
    for group in _groups(files):
        opened = _each(partial(open_header, options=options), group)
        decoded = _each(partial(_decoded, options=options), opened)
        yield from _each(partial(_described, options=options), decoded)


def _groups(files: Iterable[bytes | Undecodable]) -> Iterator[list[bytes | Undecodable]]:
    group: list[bytes | Undecodable] = []
    held = 0
    for data in files:
        group.append(data)
        held += 0 if isinstance(data, Undecodable) else len(data)
        if len(group) == TOGETHER or held > TOGETHER_BYTES:
            yield group
            group, held = [], 0
    yield group


def _each(stage: Callable[[T], V | Undecodable], items: Iterable[T | Undecodable]) -> list[V | Undecodable]:
    return [one if isinstance(one, Undecodable) else stage(one) for one in items]


def _decoded(header: Opened, options: DecodeOptions) -> tuple[bytes, Decoded] | Undecodable:
    found = decode_pixels(header, options)
    return found if isinstance(found, Undecodable) else (header.data, found)


def _described(file: tuple[bytes, Decoded], options: DecodeOptions) -> Processed:
    data, decoded = file
    raw = decoded.image.tobytes()
    pixel_sha256 = hashlib.sha256(raw).hexdigest()
    return Processed(
        record=_record(decoded, raw, pixel_sha256, options.size),
        thumb=thumbnail(decoded.image),
        content_sha256=content_hash(data),
        pixel_sha256=pixel_sha256,
        width=decoded.width,
        height=decoded.height,
        synthetic=decoded.synthetic,
        notes="; ".join(decoded.notes),
    )


def content_hash(data: bytes) -> str:
    """SHA-256 of length, middle and end of a file: what its split is decided by.

    Not of the pixels, which differ with the size asked for: an image shall be in the same split at 100 px and at 256.
    Not of every byte, which would take a fifteenth of the step's time and tell no more.
    """
    middle = max(0, len(data) // 2 - SAMPLE // 2)
    return hashlib.sha256(b"%d:" % len(data) + data[middle : middle + SAMPLE] + data[-SAMPLE:]).hexdigest()


def _record(decoded: Decoded, raw: bytes, pixel_sha256: str, size: int) -> bytes:
    pixels = raw if encoding_of(size) == "rgb8" else _jpeg(decoded.image)
    return _entries_of_all(size) + features({"image": pixels, "pixel_sha256": pixel_sha256.encode()})


@cache
def _entries_of_all(size: int) -> bytes:
    return features({"encoding": encoding_of(size).encode(), "height": size, "width": size})


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=JPEG_QUALITY, subsampling="4:4:4")
    return out.getvalue()
