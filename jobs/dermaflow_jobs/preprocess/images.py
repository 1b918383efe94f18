"""One file's bytes → its entry: the serialized record, hashes, thumbnail. The innermost loop of the step."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from dermaflow_jobs.preprocess.decode import Decoded, DecodeOptions, Pixels, Undecodable, decode
from dermaflow_jobs.preprocess.duplicates import perceptual_hash, thumbnail
from dermaflow_jobs.preprocess.records import features

RAW_UP_TO = 128
"""Sides up to this are kept as raw bytes, larger ones as JPEG: at 256 px a sixth of the bytes to store and stream."""
JPEG_QUALITY = 95

Encoding = Literal["rgb8", "jpeg"]


def encoding_of(size: int) -> Encoding:
    return "rgb8" if size <= RAW_UP_TO else "jpeg"


@dataclass(frozen=True)
class Processed:
    record: bytes
    """Map entries of a tf.train.Example: what depends on the file's bytes alone."""
    thumb: bytes
    file_sha256: str
    pixel_sha256: str
    phash: int
    width: int
    height: int
    synthetic: bool
    notes: str


def process(data: bytes, options: DecodeOptions) -> Processed | Undecodable:
    """Never raises for what the bytes are."""
    decoded = decode(data, options)
    if isinstance(decoded, Undecodable):
        return decoded
    raw = decoded.pixels.tobytes()
    pixel_sha256 = hashlib.sha256(raw).hexdigest()
    thumb = thumbnail(decoded.pixels)
    return Processed(
        record=_record(decoded, raw, pixel_sha256, options.size),
        thumb=thumb.tobytes(),
        file_sha256=hashlib.sha256(data).hexdigest(),
        pixel_sha256=pixel_sha256,
        phash=perceptual_hash(thumb),
        width=decoded.width,
        height=decoded.height,
        synthetic=decoded.synthetic,
        notes="; ".join(decoded.notes),
    )


def _record(decoded: Decoded, raw: bytes, pixel_sha256: str, size: int) -> bytes:
    encoding = encoding_of(size)
    return features(
        {
            "image": raw if encoding == "rgb8" else _jpeg(decoded.pixels),
            "encoding": encoding.encode(),
            "height": size,
            "width": size,
            "pixel_sha256": pixel_sha256.encode(),
        }
    )


def _jpeg(pixels: Pixels) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=JPEG_QUALITY, subsampling="4:4:4")
    return out.getvalue()
