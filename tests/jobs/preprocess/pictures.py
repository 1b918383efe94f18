"""Image files of every awkward kind, drawn on the spot."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from dermaflow_jobs.synthetic.fields import fractal


def photo(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """Smooth and coloured, with detail: no two seeds look alike."""
    rng = np.random.default_rng(seed)
    shape = (size[1], size[0])
    channels = [130 + 40 * fractal(rng, shape, size[0] / 6, 4) for _ in range(3)]
    return Image.fromarray(np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8))


def saved(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def jpeg(seed: int, **options: Any) -> bytes:
    return saved(photo(seed), "JPEG", quality=92, **options)


def sixteen_bit_png(seed: int) -> bytes:
    grey = np.asarray(photo(seed).convert("L"), np.uint16) * 257
    return saved(Image.fromarray(grey), "PNG")


def turned_by_exif(seed: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(photo(seed).transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)


def animated_gif(seed: int) -> bytes:
    return saved(photo(seed), "GIF", save_all=True, append_images=[photo(seed + 1)])


def with_alpha(seed: int) -> bytes:
    image = photo(seed)
    image.putalpha(Image.new("L", image.size, 128))
    return saved(image, "PNG")


def bomb() -> bytes:
    """Some kB of PNG that claim 400 million pixels."""
    return saved(Image.new("1", (20_000, 20_000)), "PNG")


def many_scans(scans: int, side: int = 1000) -> bytes:
    """A progressive JPEG that goes over its pixels again and again, for some hundred bytes each time."""
    data = saved(Image.new("L", (side, side), 100), "JPEG", progressive=True)
    tables = data.rfind(b"\xff\xc4", 0, data.rfind(b"\xff\xda"))
    return data[:-2] + data[tables:-2] * scans + data[-2:]


def many_frames(frames: int) -> bytes:
    data = saved(Image.new("P", (16, 16)), "GIF")
    frame = data[data.find(b",") : -1]
    return data[:-1] + frame * frames + b";"


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """An ICC profile in which what is called red is blue, and the other way round."""
    return srgb_profile().replace(b"rXYZ", b"?XYZ").replace(b"bXYZ", b"rXYZ").replace(b"?XYZ", b"bXYZ")


READABLE = {
    "grey.jpg": lambda seed: saved(photo(seed).convert("L")),
    "cmyk.jpg": lambda seed: saved(photo(seed).convert("CMYK")),
    "progressive.jpg": lambda seed: jpeg(seed, progressive=True),
    "turned by exif.jpg": turned_by_exif,
    "Мелано́ма ☂ été.jpg": jpeg,
    "a+b & c=d %41.jpg": jpeg,
    "sixteen-bit.png": sixteen_bit_png,
    "palette.png": lambda seed: saved(photo(seed).quantize(64), "PNG"),
    "alpha.png": with_alpha,
    "one-bit.png": lambda seed: saved(photo(seed).convert("1"), "PNG"),
    "animated.gif": animated_gif,
    "photo.bmp": lambda seed: saved(photo(seed), "BMP"),
    "photo.webp": lambda seed: saved(photo(seed), "WEBP"),
    "photo.tif": lambda seed: saved(photo(seed), "TIFF", compression="tiff_lzw"),
    "a png by another name.jpg": lambda seed: saved(photo(seed), "PNG"),
    "no ending": jpeg,
}
"""Name → a file made from a seed. All of these belong into a dataset."""
