"""What an image looks like in a few numbers, none of which knows anything of lesions.

They change when the camera, the lighting, the compression or the crop does.
"""

from __future__ import annotations

from typing import Final

import numpy as np

IMAGE_STATISTICS: Final = ("brightness", "contrast", "saturation", "redness", "sharpness", "dark share")
DARK: Final = 0.1
"""Luma below this is a dermoscope's rim or a frame."""
_LUMA: Final = np.array([0.2126, 0.7152, 0.0722])
"""ITU-R BT.709."""


def image_statistics(images: np.ndarray) -> np.ndarray:
    """uint8 (n, size, size, 3) to float64 (n, len(IMAGE_STATISTICS)). All but sharpness are within 0 to 1."""
    scaled = images.astype(np.float32) / 255
    luma = scaled @ _LUMA.astype(np.float32)
    most, least, total = scaled.max(axis=-1), scaled.min(axis=-1), scaled.sum(axis=-1)
    columns = (
        luma.mean(axis=(1, 2)),
        luma.std(axis=(1, 2)),
        ((most - least) / np.maximum(most, 1 / 255)).mean(axis=(1, 2)),
        (scaled[..., 0] / np.maximum(total, 1 / 255)).mean(axis=(1, 2)),
        _laplacian(luma).std(axis=(1, 2)),
        (luma < DARK).mean(axis=(1, 2)),
    )
    return np.stack(columns, axis=1).astype(np.float64)


def _laplacian(luma: np.ndarray) -> np.ndarray:
    """Second difference in both directions: large at edges, nothing where it is smooth."""
    middle = luma[:, 1:-1, 1:-1]
    beside = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]
    return np.asarray(beside - 4 * middle)


def names(classes: tuple[str, ...]) -> tuple[str, ...]:
    """Of the columns that `all_statistics` gives."""
    answers = tuple(f"probability of {name.replace('_', ' ')}" for name in classes)
    return (*IMAGE_STATISTICS, *answers, "confidence")


def all_statistics(images: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Of the images and of the model's answers to them."""
    return np.concatenate(
        [image_statistics(images), probabilities, probabilities.max(axis=1, keepdims=True)], axis=1, dtype=np.float64
    )
