"""Augmentation of a batch in two passes over the pixels: one warp for all that moves, one matrix for all that colours.

A rotation, a zoom, a flip and a shift are one affine map, and brightness, contrast, saturation and channel gains are
one 3×3 matrix and an offset an image; so the cost does not grow with the number of things that vary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras import KerasTensor

DRAWS = 12
"""Uniform numbers in [0, 1) that a sample's variation is a function of; the last one is not the image's."""

LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G, B in brightness (ITU-R BT.601)."""


@dataclass(frozen=True)
class AugmentRanges:
    """How far an image may vary; flips and angles always do, for dermoscopy has no up."""

    zoom: tuple[float, float]
    """Side of the window that is seen, relative to the image; above 1 the border is reflected."""
    brightness: float
    contrast: float
    saturation: float
    gain: float
    """Of each channel."""
    shift: float = 0.05
    """Of the window, relative to the image's side."""

    def __post_init__(self) -> None:
        """Raises ValueError for a window whose corner could lie beyond the image's reflection, which is as large."""
        beyond = self.zoom[1] * math.sqrt(0.5) + self.shift - 0.5
        if beyond >= 1:
            raise ValueError(f"zoom to {self.zoom[1]} and shift {self.shift} reach {beyond:.2f} sides beyond the image")


STRONG = AugmentRanges(zoom=(0.55, 1.05), brightness=0.25, contrast=0.25, saturation=0.4, gain=0.1)
"""For a network that knows pictures: the fine-tuning recipe that did best on ISIC 2017."""

GENTLE = AugmentRanges(zoom=(0.85, 1.05), brightness=0.05, contrast=0.05, saturation=0.08, gain=0.02)
"""For one that starts from nothing: colours and size are the first it learns by."""


def augment(
    images: KerasTensor, draws: KerasTensor, ranges: AugmentRanges, chosen: KerasTensor | None = None
) -> KerasTensor:
    """`images` (any, size, size, 3) in 0…255, of any type; `draws` (batch, DRAWS) uniform; `chosen` (batch,) says which
    images are shown, without it all. Gives float32 (batch, size, size, 3) in 0…255.

    Shapes must be known: compile it (`jit_compile`) for a batch size.
    """
    from keras import ops

    size = images.shape[1]
    numbers = ops.arange(images.shape[0]) if chosen is None else chosen
    warped = _warp(images, numbers, *_sources(draws, size, ranges))
    matrices, offsets = _colours(draws, ranges)
    coloured = ops.matmul(ops.reshape(warped, (-1, size * size, 3)), matrices) + offsets
    return ops.clip(ops.reshape(coloured, (-1, size, size, 3)), 0.0, 255.0)


def _sources(draws: KerasTensor, size: int, ranges: AugmentRanges) -> tuple[KerasTensor, KerasTensor]:
    """(batch, size, size) each: row and column, in pixels, that each output pixel is taken from."""
    from keras import ops

    angle = draws[:, 0] * (2 * math.pi)
    zoom = _between(draws[:, 1], *ranges.zoom)
    flip = ops.where(draws[:, 2] < 0.5, -1.0, 1.0)
    reach = ranges.shift * size
    middle = (size - 1) / 2
    down, right = (_between(draws[:, i], middle - reach, middle + reach)[:, None, None] for i in (3, 4))
    cos, sin = (zoom * part for part in (ops.cos(angle), ops.sin(angle)))
    offset = ops.arange(size, dtype="float32") - middle
    y, x = offset[None, :, None], offset[None, None, :] * flip[:, None, None]
    cos, sin = cos[:, None, None], sin[:, None, None]
    return down + sin * x + cos * y, right + cos * x - sin * y


def _warp(images: KerasTensor, numbers: KerasTensor, rows: KerasTensor, columns: KerasTensor) -> KerasTensor:
    """Bilinear, reflected at the border; as gathers, which XLA makes five times as fast as TensorFlow's kernel."""
    from keras import ops

    size = images.shape[1]
    top, left = ops.floor(rows), ops.floor(columns)
    y0, y1 = (_reflect(ops.cast(top, "int32") + i, size) * size for i in (0, 1))
    x0, x1 = (_reflect(ops.cast(left, "int32") + i, size) for i in (0, 1))
    first = ops.cast(numbers, "int32")[:, None, None] * (size * size)
    pixels = ops.reshape(images, (-1, 3))

    def at(y: KerasTensor, x: KerasTensor) -> KerasTensor:
        return ops.cast(ops.take(pixels, first + y + x, axis=0), "float32")

    down, right = (rows - top)[..., None], (columns - left)[..., None]
    upper = at(y0, x0) * (1 - right) + at(y0, x1) * right
    lower = at(y1, x0) * (1 - right) + at(y1, x1) * right
    return upper * (1 - down) + lower * down


def _reflect(index: KerasTensor, size: int) -> KerasTensor:
    """… 1 0 | 0 1 2 … size-1 | size-1 size-2 …, as far as one image's side beyond each border."""
    from keras import ops

    folded = ops.where(index < 0, -1 - index, index)
    return ops.minimum(folded, 2 * size - 1 - folded)


def _colours(draws: KerasTensor, ranges: AugmentRanges) -> tuple[KerasTensor, KerasTensor]:
    """(batch, 3, 3) to multiply a row of RGB with from the right, and (batch, 1, 1) to add."""
    from keras import ops

    brightness = _around_one(draws[:, 5], ranges.brightness)
    contrast = _around_one(draws[:, 6], ranges.contrast)
    saturation = _around_one(draws[:, 7], ranges.saturation)[:, None, None]
    gains = _around_one(draws[:, 8:11], ranges.gain)
    grey = ops.convert_to_tensor([[w] * 3 for w in LUMA], dtype="float32")
    saturate = saturation * ops.eye(3) + (1.0 - saturation) * grey
    scale = (brightness * contrast)[:, None, None]
    offsets = 127.5 * (1.0 - contrast)
    return saturate * gains[:, None, :] * scale, offsets[:, None, None]


def _between(draw: KerasTensor, low: float, high: float) -> KerasTensor:
    return low + (high - low) * draw


def _around_one(draw: KerasTensor, reach: float) -> KerasTensor:
    return _between(draw, 1.0 - reach, 1.0 + reach)
