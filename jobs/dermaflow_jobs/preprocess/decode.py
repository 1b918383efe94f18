"""Bytes of an image file → square sRGB pixels, or the reason why not. Bounded in memory by the header, before decoding.

The picture is squashed to the square, not cropped: a lesion's edge is what it is judged by. Orientation from EXIF,
the embedded ICC profile and transparency are all settled here, once, so that nothing downstream thinks of them.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from PIL import Image, ImageFile, JpegImagePlugin, UnidentifiedImageError
from PIL.ExifTags import Base

from dermaflow_jobs.contract.dataset import SYNTHETIC_SOFTWARE
from dermaflow_jobs.preprocess.colour import shades_of_gray, to_srgb
from dermaflow_jobs.preprocess.jpeg import Box, decode_scaled
from dermaflow_jobs.preprocess.reasons import Reason

T = TypeVar("T")

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP")
FILTER = Image.Resampling.HAMMING
"""Antialiased, and half the work of LANCZOS. After a scaled decode it comes as near to a full one as that does."""

PASSES = 16
"""A JPEG may go over its pixels this many times, were it as large as is allowed; smaller ones oftener. Usual are 10."""

# Ours is the bound, per run and before decoding; Pillow's own stays above it for what it alone sees (frames).
Image.MAX_IMAGE_PIXELS = 512 * 10**6

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class DecodeOptions:
    """All that decides what pixels come of a file."""

    size: int
    max_pixels: int
    colour_constancy: bool = False


@dataclass(frozen=True)
class Decoded:
    image: Image.Image
    """size × size, RGB in sRGB."""
    width: int
    height: int
    """Of the file, upright."""
    synthetic: bool
    notes: tuple[str, ...]
    """What was unusual, yet no reason to refuse."""


@dataclass(frozen=True)
class Undecodable:
    reason: Reason
    detail: str


class _RefusedError(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class Opened:
    """Its header is read and within bounds; its pixels are not decoded."""

    data: bytes
    image: ImageFile.ImageFile
    orientation: int
    software: str


def decode(data: bytes, options: DecodeOptions) -> Decoded | Undecodable:
    """Never raises for what the bytes are: libraries raise nearly anything on broken files, and all of it is caught."""
    header = open_header(data, options)
    return header if isinstance(header, Undecodable) else decode_pixels(header, options)


def open_header(data: bytes, options: DecodeOptions) -> Opened | Undecodable:
    """The first half of `decode`."""
    return _guarded(partial(_open, data, options))


def decode_pixels(header: Opened, options: DecodeOptions) -> Decoded | Undecodable:
    """The second half of `decode`; the header can be used once."""
    return _guarded(partial(_decode, header, options))


def _guarded(work: Callable[[], T]) -> T | Undecodable:
    try:
        return work()
    except _RefusedError as refused:
        return Undecodable(refused.reason, str(refused))
    except UnidentifiedImageError:
        return Undecodable(Reason.UNREADABLE, "no image format that is read here")
    except Exception as error:  # noqa: BLE001
        return Undecodable(_reason(error), f"{type(error).__name__}: {error}"[:200])


def _reason(error: Exception) -> Reason:
    if isinstance(error, Image.DecompressionBombError):
        return Reason.TOO_MANY_PIXELS
    text = str(error).lower()
    return Reason.TRUNCATED if "truncated" in text or "premature end" in text else Reason.UNREADABLE


def _open(data: bytes, options: DecodeOptions) -> Opened:
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    width, height = image.size
    if width * height > options.max_pixels:
        raise _RefusedError(Reason.TOO_MANY_PIXELS, f"{width} × {height}")
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        _check_scans(image, data, options.max_pixels)
    return Opened(data, image, *_exif(image))


def _decode(header: Opened, options: DecodeOptions) -> Decoded:
    orientation = header.orientation
    with header.image as image:
        width, height = image.size
        profile = image.info.get("icc_profile")
        small = _small_jpeg(header, options.size) or shrink(image, options.size)
        # Not n_frames, which goes through all of them: a GIF of 12 MB can have a million.
        notes = ("first of several frames",) if getattr(image, "is_animated", False) else ()
    converted = to_srgb(small, profile)
    upright = converted.image if orientation not in TURNS else converted.image.transpose(TURNS[orientation])
    if options.colour_constancy:
        upright = shades_of_gray(upright)
    if orientation >= 5:
        width, height = height, width
    return Decoded(upright, width, height, header.software == SYNTHETIC_SOFTWARE, notes + converted.notes)


def _check_scans(image: JpegImagePlugin.JpegImageFile, data: bytes, max_pixels: int) -> None:
    """Each scan costs a pass over all pixels, however few bytes it has: 300 kB of empty scans took a minute to decode.

    https://libjpeg-turbo.org/pmwiki/uploads/About/TwoIssueswiththeJPEGStandard.pdf
    """
    first_scan = data.rfind(b"\xff\xda", 0, image.fp.tell() if image.fp else 0)
    if data[first_scan + 4] == image.layers and "progressive" not in image.info:
        return  # all components in one scan, which is then the only one
    scans = data.count(b"\xff\xda")
    width, height = image.size
    if width * height * scans > PASSES * max_pixels:
        raise _RefusedError(Reason.TOO_MANY_PIXELS, f"{width} × {height} in {scans} scans")


def _exif(image: Image.Image) -> tuple[int, str]:
    """Orientation (1 if none is given) and software. Broken EXIF is common and spoils no picture."""
    if image.format == "JPEG" and not {"exif", "xmp"} & image.info.keys():
        return 1, ""
    try:
        exif = image.getexif()
        orientation, software = exif.get(Base.Orientation, 1), exif.get(Base.Software, "")
    except Exception:  # noqa: BLE001
        return 1, ""
    return orientation if orientation in TURNS else 1, str(software).strip("\0 ")


def _small_jpeg(header: Opened, size: int) -> Image.Image | None:
    """Squashed to size × size, if it is a JPEG wholly in order and not smaller."""
    if header.image.format != "JPEG" or header.image.mode != "RGB":
        return None
    found = decode_scaled(header.data, header.image.size, size)
    return _resized(found.image, size, found.box) if found else None


def shrink(image: ImageFile.ImageFile, size: int) -> Image.Image:
    """Squashed to size × size. Of a JPEG Pillow decodes at the smallest power-of-two scale that is not below it.

    The box matters: libjpeg rounds the scaled size up, so the last row and column are partly beyond the picture, and
    without the box all pixels shift by up to one (PSNR 26 dB instead of 38 in the worst case measured).
    """
    drafted = image.draft(None, (size, size))
    return _resized(plain(image), size, drafted[1] if drafted else None)


def _resized(image: Image.Image, size: int, box: Box | None) -> Image.Image:
    return image.resize((size, size), FILTER, box=box, reducing_gap=1.5)


def plain(image: Image.Image) -> Image.Image:
    """In a mode that can be resized: L, LA, RGB, RGBA or CMYK. Raises where values have no known range."""
    if image.mode in {"L", "LA", "RGB", "RGBA", "CMYK"}:
        return image
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in {"1", "YCbCr", "HSV", "RGBX"}:
        return image.convert("L" if image.mode == "1" else "RGB")
    if image.mode in {"P", "PA", "La", "RGBa"}:
        return image.convert("RGBA")
    raise _RefusedError(Reason.UNSUPPORTED, f"mode {image.mode}")
