"""What an answer hangs on: how far its probability falls when a patch of the image is covered (Zeiler & Fergus 2014).

It asks nothing of the network but answers, so it is the same for every architecture and backend.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib import colormaps
from PIL import Image

PATCHES = 10
"""A side."""
COVER = 2
"""Side of the covered square, in patches."""


def occlusion(probability: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> np.ndarray:
    """(PATCHES, PATCHES): fall of `probability(images) -> (images,)` under squares of the image's mean colour."""
    size = image.shape[0]
    edges = np.linspace(0, size, PATCHES + 1).round().astype(int)
    mean = image.mean(axis=(0, 1)).astype(image.dtype)
    places = [(row, column) for row in range(1 - COVER, PATCHES) for column in range(1 - COVER, PATCHES)]
    covered = np.repeat(image[None], len(places), axis=0)
    for view, (row, column) in zip(covered, places, strict=True):
        view[_span(edges, row), _span(edges, column)] = mean
    falls = probability(image[None])[0] - probability(covered)
    total, count = np.zeros((PATCHES, PATCHES)), np.zeros((PATCHES, PATCHES))
    for (row, column), fall in zip(places, falls, strict=True):
        square = (slice(max(0, row), row + COVER), slice(max(0, column), column + COVER))
        total[square] += fall
        count[square] += 1
    return total / count


def _span(edges: np.ndarray, first: int) -> slice:
    return slice(edges[max(0, first)], edges[min(PATCHES, first + COVER)])


def overlay(image: np.ndarray, heat: np.ndarray) -> Image.Image:
    """The image with what speaks for the answer in warm colours; what is cool speaks for nothing or against it."""
    warm = np.clip(heat, 0, None)
    scaled = (255 * warm / max(float(warm.max()), 1e-6)).astype(np.uint8)
    smooth = Image.fromarray(scaled).resize(image.shape[:2], Image.Resampling.BICUBIC)
    strength = np.asarray(smooth, np.float64)[..., None] / 255
    colours = colormaps["inferno"](np.asarray(smooth))[..., :3] * 255
    mixed = image * (1 - 0.6 * strength) + colours * 0.6 * strength
    return Image.fromarray(mixed.clip(0, 255).astype(np.uint8))
