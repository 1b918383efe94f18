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
"""Uniform numbers in [0, 1) that an image's augmentation is a function of."""

LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G, B in brightness (ITU-R BT.601)."""


@dataclass(frozen=True)
class AugmentRanges:
    """From the fine-tuning recipe that did best on ISIC 2017 here; dermoscopy has no up, so any angle goes."""

    zoom: tuple[float, float] = (0.55, 1.05)
    """Side of the window that is seen, relative to the image; above 1 the border is reflected."""
    shift: float = 0.05
    brightness: float = 0.25
    contrast: float = 0.25
    saturation: float = 0.4
    gain: float = 0.1


def augment(images: KerasTensor, draws: KerasTensor, ranges: AugmentRanges = AugmentRanges()) -> KerasTensor:
    """`images` float (batch, size, size, 3) in 0…255, `draws` (batch, DRAWS) uniform; the result is in 0…255 too."""
    from keras import ops

    warped = ops.image.affine_transform(
        images, _maps(draws, images.shape[1], ranges), interpolation="bilinear", fill_mode="reflect"
    )
    matrices, offsets = _colours(draws, ranges)
    size = images.shape[1]
    flat = ops.reshape(warped, (-1, size * size, 3))
    return ops.clip(ops.reshape(ops.matmul(flat, matrices) + offsets, (-1, size, size, 3)), 0.0, 255.0)


def _maps(draws: KerasTensor, size: int, ranges: AugmentRanges) -> KerasTensor:
    """(batch, 8): where each output pixel is taken from, as `ops.image.affine_transform` wants it."""
    from keras import ops

    angle = draws[:, 0] * (2 * math.pi)
    zoom = _between(draws[:, 1], *ranges.zoom)
    flip = ops.where(draws[:, 2] < 0.5, -1.0, 1.0)
    reach = ranges.shift * size
    centre = (size - 1) / 2
    dx, dy = _between(draws[:, 3], -reach, reach), _between(draws[:, 4], -reach, reach)
    cos, sin = zoom * ops.cos(angle), zoom * ops.sin(angle)
    a0, a1, b0, b1 = cos * flip, -sin, sin * flip, cos
    a2 = centre + dx - (a0 + a1) * centre
    b2 = centre + dy - (b0 + b1) * centre
    zero = ops.zeros_like(a0)
    return ops.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1)


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
