"""Ways to make a small square picture of a photograph, each from a file's bytes in memory."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
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
from dermaflow_jobs.preprocess.images import Processed, encoding_of, process_all
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


def ours(files: Sequence[bytes], size: int) -> list[int]:
    """The job's worker: from objects' bytes to framed records and perceptual hashes."""
    thumbs = []
    for found in _processed(files, size):
        framed(example(found.record))
        thumbs.append(found.thumb)
    return perceptual_hashes(thumbs)


def _processed(files: Sequence[bytes], size: int) -> Iterator[Processed]:
    for found in process_all(files, DecodeOptions(size=size, max_pixels=10**9)):
        if not isinstance(found, Processed):
            raise RuntimeError(f"ours: {found}")
        yield found


def limit(data: bytes, size: int) -> NDArray[np.uint8]:
    """libjpeg-turbo's scaled decode alone, to the smallest scale that is not below the size."""
    import simplejpeg

    return simplejpeg.decode_jpeg(data, min_height=size, min_width=size, min_factor=1)


ONE_BY_ONE: dict[str, Callable[[bytes, int], Any]] = {
    "way_2021": way_2021,
    "pillow_antialiased": pillow_antialiased,
    "pyvips_thumbnail": vips_thumbnail,
    "img2dataset": img2dataset_resizer,
    "limit": limit,
}
METHODS = (*ONE_BY_ONE, "ours")
GROUP = 32
"""Files that are timed together, as our worker takes some at a time."""


def seconds_per_group(name: str, files: Sequence[bytes], size: int) -> NDArray[np.float64]:
    """CPU seconds of each GROUP of files in turn."""
    spent = []
    for at in range(0, len(files), GROUP):
        group = files[at : at + GROUP]
        began = time.process_time()
        if name in ONE_BY_ONE:
            for data in group:
                ONE_BY_ONE[name](data, size)
        else:
            ours(group, size)
        spent.append(time.process_time() - began)
    return np.array(spent)


def psnr_db(files: Sequence[bytes], size: int) -> list[float]:
    """Of the pixels that our records hold, against a full decode and Pillow's antialiased default filter (BICUBIC)."""
    pairs = zip(_processed(files, size), files, strict=True)
    return [_psnr(_pixels(found, size), _reference(data, size)) for found, data in pairs]


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
