"""Colour of skin from what absorbs light in it, channel by channel (Beer-Lambert)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dermaflow_jobs.synthetic.fields import Field

MELANIN = np.array([0.50, 1.00, 1.55], np.float32)
"""Absorbance in red, green, blue of melanin near the surface: brown."""
DEEP_MELANIN = np.array([1.25, 0.95, 0.66], np.float32)
"""The same pigment in the dermis, seen through scattering tissue: blue-grey."""
BLOOD = np.array([0.12, 0.62, 0.52], np.float32)


@dataclass
class Tissue:
    """Amounts per pixel; painters add to them in place, region by region."""

    melanin: Field
    deep: Field
    blood: Field
    white: Field
    """0 to 1: share of light scattered back before anything absorbs it (keratin, scars, haze)."""


def render(tissue: Tissue, light: NDArray[np.float32], white: NDArray[np.float32]) -> NDArray[np.float32]:
    """Height × width × RGB, 0 to 1 and beyond under bright light."""
    channels = []
    for c in range(3):
        absorbed = tissue.melanin * MELANIN[c] + tissue.deep * DEEP_MELANIN[c] + tissue.blood * BLOOD[c]
        seen = light[c] * np.exp(-absorbed)
        channels.append(seen + tissue.white * (white[c] - seen))
    return np.stack(channels, axis=-1)
