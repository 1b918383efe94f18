"""Ways to make a small square picture of a photograph, each from a file's bytes in memory."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
os.environ.setdefault("VIPS_CONCURRENCY", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from dermaflow_jobs.preprocess.decode import DecodeOptions
from dermaflow_jobs.preprocess.duplicates import perceptual_hashes
from dermaflow_jobs.preprocess.images import Processed, encoding_of, process
from dermaflow_jobs.preprocess.records import example, framed


def way_2021(data: bytes, size: int) -> bytes:
    """`Image.open().resize()` in a loop, saved as JPEG: what the project of 2021 did."""
    out = io.BytesIO()
    Image.open(io.BytesIO(data)).resize((size, size)).save(out, "JPEG")
    return out.getvalue()


def pillow_antialiased(data: bytes, size: int) -> bytes:
    """Full decode, LANCZOS, raw pixels."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return image.resize((size, size), Image.Resampling.LANCZOS).tobytes()


def vips_thumbnail(data: bytes, size: int) -> bytes:
    """libvips shrinks while it loads, too; raw pixels."""
    import pyvips

    pixels: bytes = pyvips.Image.thumbnail_buffer(data, size, height=size, size="force").write_to_memory()
    return pixels


def img2dataset_resizer(data: bytes, size: int) -> bytes:
    """Its own resizer at its defaults (area filter, JPEG 95), cropping to the square, as it cannot squash."""
    encoded: bytes
    encoded, *_, error = _resizer(size)(io.BytesIO(data))
    if error:
        raise RuntimeError(f"img2dataset: {error}")
    return encoded


@cache
def _resizer(size: int) -> Any:
    from img2dataset.resizer import Resizer

    return Resizer(size, "center_crop", resize_only_if_bigger=False)


def ours(data: bytes, size: int) -> Image.Image:
    """The job's worker: from an object's bytes to the framed record. Returns the thumbnail."""
    found = _processed(data, DecodeOptions(size=size, max_pixels=10**9))
    framed(example(found.record))
    return found.thumb


def _processed(data: bytes, options: DecodeOptions) -> Processed:
    found = process(data, options)
    if not isinstance(found, Processed):
        raise RuntimeError(f"ours: {found}")
    return found


def limit(data: bytes, size: int) -> NDArray[np.uint8]:
    """libjpeg-turbo's scaled decode alone, to the smallest scale that is not below the size."""
    import simplejpeg

    return simplejpeg.decode_jpeg(data, min_height=size, min_width=size, min_factor=1)


METHODS: dict[str, Callable[[bytes, int], Any]] = {
    "way_2021": way_2021,
    "pillow_antialiased": pillow_antialiased,
    "pyvips_thumbnail": vips_thumbnail,
    "img2dataset": img2dataset_resizer,
    "ours": ours,
    "limit": limit,
}
AFTERWARDS: dict[str, Callable[[list[Any]], Any]] = {"ours": perceptual_hashes}
"""What a method does at the end with the results of all files."""


def seconds_per_file(name: str, files: Sequence[bytes], size: int) -> NDArray[np.float64]:
    """CPU seconds of each file in turn, each with its share of what is done afterwards."""
    method, spent, results = METHODS[name], np.zeros(len(files)), []
    for number, data in enumerate(files):
        began = time.process_time()
        results.append(method(data, size))
        spent[number] = time.process_time() - began
    if name in AFTERWARDS:
        began = time.process_time()
        AFTERWARDS[name](results)
        spent += (time.process_time() - began) / len(files)
    return spent


def psnr_db(files: Sequence[bytes], size: int) -> list[float]:
    """Of the pixels that our records hold, against a full decode and Pillow's antialiased default filter (BICUBIC)."""
    options = DecodeOptions(size=size, max_pixels=10**9)
    return [_psnr(_pixels(_processed(data, options), size), _reference(data, size)) for data in files]


def _psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return 99.0 if error == 0 else float(10 * np.log10(255**2 / error))


def _pixels(found: Processed, size: int) -> NDArray[np.uint8]:
    """Out of the serialized record, as training reads them."""
    from tensorflow.core.example.example_pb2 import Example

    body = Example.FromString(example(found.record)).features.feature["image"].bytes_list.value[0]
    if encoding_of(size) == "jpeg":
        return np.asarray(Image.open(io.BytesIO(body)))
    return np.frombuffer(body, np.uint8).reshape(size, size, 3)


def _reference(data: bytes, size: int) -> NDArray[np.uint8]:
    image = Image.open(io.BytesIO(data))
    profile = image.info.get("icc_profile")
    full = image.convert("RGB")
    if profile:
        source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        full = ImageCms.profileToProfile(full, source, target) or full
    return np.asarray(full.resize((size, size), Image.Resampling.BICUBIC))
