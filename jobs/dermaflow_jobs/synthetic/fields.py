"""Smooth random fields and soft thresholds, the material everything here is painted from."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field: TypeAlias = NDArray[np.float32]
"""Height × width."""
Shape: TypeAlias = tuple[int, int]


def smooth(rng: np.random.Generator, shape: Shape, cell: float) -> Field:
    """Noise of about unit deviation that changes over `cell` pixels: a coarse random grid, interpolated."""
    return stretched(rng, shape, cell, cell)


def stretched(rng: np.random.Generator, shape: Shape, cell_y: float, cell_x: float) -> Field:
    """The same with another cell size down than across."""
    rows, columns = max(2, round(shape[0] / cell_y) + 1), max(2, round(shape[1] / cell_x) + 1)
    grid = rng.standard_normal((rows, columns), dtype=np.float32) * 1.4
    image = Image.fromarray(grid).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.float32)


def fractal(rng: np.random.Generator, shape: Shape, cell: float, octaves: int = 3) -> Field:
    """Smooth noise plus ever finer and fainter noise."""
    total = smooth(rng, shape, cell)
    for octave in range(1, octaves):
        total = total + smooth(rng, shape, cell / 2**octave) * np.float32(0.5**octave)
    return total


def ramp(values: Field, low: float, high: float) -> Field:
    """0 below `low`, 1 above `high`, smooth between."""
    t: Field = np.clip((values - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    t *= t * (3 - 2 * t)
    return t


def spots(shape: Shape, places: NDArray[np.float64], radii: NDArray[np.float64], blur: float) -> Field:
    """Soft discs at `places` (rows of x, y); 1 at their middles."""
    from PIL import ImageDraw, ImageFilter

    mask = Image.new("L", (shape[1], shape[0]))
    draw = ImageDraw.Draw(mask)
    for (x, y), r in zip(places, radii, strict=True):
        draw.ellipse((x - r, y - r * 0.9, x + r, y + r * 0.9), fill=255)
    return np.asarray(mask.filter(ImageFilter.GaussianBlur(blur)), dtype=np.float32) / np.float32(255)
