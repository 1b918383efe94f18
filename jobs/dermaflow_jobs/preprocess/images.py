"""One file's bytes → its entry: the serialized record, hashes, thumbnail. The innermost loop of the step."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from dermaflow_jobs.preprocess.decode import Decoded, DecodeOptions, Undecodable, decode
from dermaflow_jobs.preprocess.duplicates import thumbnail
from dermaflow_jobs.preprocess.records import features

RAW_UP_TO = 128
"""Sides up to this are kept as raw bytes, larger ones as JPEG: at 256 px a sixth of the bytes to store and stream."""
JPEG_QUALITY = 95

SAMPLE = 8 * 2**10

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
    """Never raises for what the bytes are."""
    decoded = decode(data, options)
    if isinstance(decoded, Undecodable):
        return decoded
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
    encoding = encoding_of(size)
    return features(
        {
            "image": raw if encoding == "rgb8" else _jpeg(decoded.image),
            "encoding": encoding.encode(),
            "height": size,
            "width": size,
            "pixel_sha256": pixel_sha256.encode(),
        }
    )


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=JPEG_QUALITY, subsampling="4:4:4")
    return out.getvalue()
