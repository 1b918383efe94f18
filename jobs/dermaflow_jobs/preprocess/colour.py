"""One colour space for all: sRGB, from whatever profile a file carries; and optional colour constancy."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

_MODE_OF_SPACE = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}


@dataclass(frozen=True)
class Converted:
    image: Image.Image
    notes: tuple[str, ...]


def to_srgb(image: Image.Image, profile: bytes | None) -> Converted:
    """RGB from L, LA, RGB, RGBA or CMYK. Transparent parts become white, as a browser would show them.

    A profile that is broken or of another mode is passed over with a note: browsers do the same.
    """
    opaque = _on_white(image)
    if profile:
        try:
            transform = _transform(profile, opaque.mode)
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            return Converted(opaque.convert("RGB"), (f"ICC profile not used: {error}"[:100],))
        return Converted(ImageCms.applyTransform(opaque, transform) or opaque, ())
    return Converted(opaque if opaque.mode == "RGB" else opaque.convert("RGB"), ())


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode not in {"LA", "RGBA"}:
        return image
    paper = Image.new("RGBA", image.size, "white")
    paper.alpha_composite(image.convert("RGBA"))
    return paper.convert("RGB")


@lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    """Raises PyCMSError, OSError or ValueError where the profile is broken or for another mode."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    space = source.profile.xcolor_space.strip()
    if _MODE_OF_SPACE.get(space) != mode:
        raise ValueError(f"{space} profile in {mode} image")
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")


def shades_of_gray(image: Image.Image, p: int = 6) -> Image.Image:
    """Scale channels so that their Minkowski means agree (Finlayson and Trezzi 2004, p = 6)."""
    values = np.asarray(image, dtype=np.float32) / 255
    light = np.power(np.mean(np.power(values, p), axis=(0, 1)), 1 / p)
    gain = light.mean() / np.maximum(light, 1e-4)
    return Image.fromarray(np.clip(np.rint(values * gain * 255), 0, 255).astype(np.uint8))
