"""JPEG's own way to a small picture: the cosine transform gives one at so many eighths of the size, nearly for free."""

from __future__ import annotations

from dataclasses import dataclass

import simplejpeg
from PIL import Image

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Scaled:
    image: Image.Image
    """RGB."""
    box: Box
    """What of it is the picture: libjpeg rounds sides up, so the last row and column are partly beyond."""


def decode_scaled(data: bytes, full: tuple[int, int], size: int) -> Scaled | None:
    """At the fewest eighths whose sides are not below `size`; `full` is width and height by the header.

    None where the file is not wholly in order, or smaller: then it is Pillow's to say what is wrong, and what is not.
    """
    if min(full) < size:
        return None
    try:
        pixels = simplejpeg.decode_jpeg(data, "RGBX", min_height=size, min_width=size)
    except ValueError:
        return None
    height, width = pixels.shape[:2]
    for eighths in range(1, 9):
        if (width, height) == tuple(-(-side * eighths // 8) for side in full):
            # Four bytes a pixel, as Pillow keeps them, which else spreads them out itself
            image = Image.frombytes("RGB", (width, height), pixels.data, "raw", "RGBX")
            return Scaled(image, (0, 0, full[0] * eighths / 8, full[1] * eighths / 8))
    return None
