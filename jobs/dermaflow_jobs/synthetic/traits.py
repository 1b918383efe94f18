"""What distinguishes the classes: how a lesion's traits are drawn for each, after the ABCD rule and the pattern list.

Distributions overlap on purpose, and some lesions are drawn halfway to another class, as in life.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

import numpy as np

MIMIC_SHARE = 0.22
"""Share of lesions whose traits lean towards another class."""
SPREAD = 0.17
"""Standard deviation of every trait around its class's mean."""


@dataclass(frozen=True)
class Traits:
    """Strengths from 0 (absent) to 1 (striking)."""

    size: float
    elongation: float
    asymmetry: float
    border: float
    """Irregularity of the outline."""
    sharpness: float
    """Of the edge: 0 fades into the skin, 1 looks stuck on."""
    pigment: float
    variegation: float
    """How unevenly the pigment lies."""
    redness: float
    network: float
    globules: float
    streaks: float
    veil: float
    """Blue-white structureless area."""
    regression: float
    """Scar-like white with grey peppering."""
    cysts: float
    """Milia-like: small, bright."""
    openings: float
    """Comedo-like: small, dark, plugged."""
    ridges: float
    """Fissures and ridges, brain-like."""


MEANS: dict[str, Traits] = {
    "melanoma": Traits(0.62, 0.42, 0.74, 0.72, 0.48, 0.66, 0.72, 0.42, 0.48, 0.40, 0.55, 0.52, 0.42, 0.04, 0.05, 0.10),
    "nevus": Traits(0.42, 0.36, 0.22, 0.22, 0.34, 0.50, 0.28, 0.30, 0.56, 0.42, 0.06, 0.06, 0.04, 0.05, 0.04, 0.05),
    "seborrheic_keratosis": Traits(
        0.54, 0.42, 0.44, 0.44, 0.74, 0.46, 0.46, 0.34, 0.10, 0.18, 0.05, 0.12, 0.10, 0.55, 0.60, 0.62
    ),
}


def draw_traits(rng: np.random.Generator, label: str) -> Traits:
    """Traits of one lesion of the class. Raises KeyError for a class that is not among MEANS."""
    means = np.array(astuple(MEANS[label]))
    if rng.random() < MIMIC_SHARE:
        others = [name for name in MEANS if name != label]
        other = np.array(astuple(MEANS[others[rng.integers(len(others))]]))
        means = means + rng.uniform(0.3, 0.75) * (other - means)
    values = np.clip(means + SPREAD * rng.standard_normal(len(fields(Traits))), 0, 1)
    return Traits(*(float(value) for value in values))
