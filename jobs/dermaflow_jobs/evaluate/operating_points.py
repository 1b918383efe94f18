"""How specific a class's detection is at a given sensitivity, the threshold fixed where the test set is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn import metrics as sk

from dermaflow_jobs.contract.metrics import OperatingPoint

SENSITIVITIES = (0.82, 0.90, 0.95)
"""Of the ISIC 2017 challenge's reports on melanoma."""

Thresholds = Mapping[str, tuple[float, ...]]
"""Class → a threshold for each of SENSITIVITIES; empty where the class has no image to fix one by."""


def fix_thresholds(labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> Thresholds:
    """The highest threshold that reaches each sensitivity, for each class against the rest."""
    return {name: _thresholds(labels == k, probabilities[:, k]) for k, name in enumerate(classes)}


def _thresholds(is_class: np.ndarray, probability: np.ndarray) -> tuple[float, ...]:
    if is_class.all() or not is_class.any():
        return ()
    _, sensitivity, threshold = sk.roc_curve(is_class, probability, drop_intermediate=False)
    return tuple(float(threshold[np.argmax(sensitivity >= wanted)]) for wanted in SENSITIVITIES)


def operating_points(
    labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], thresholds: Thresholds
) -> dict[str, tuple[OperatingPoint, ...]]:
    """What the thresholds give on this split; a class with no image here, or none else, is left out."""
    points = {}
    for k, name in enumerate(classes):
        is_class = labels == k
        if is_class.any() and not is_class.all() and thresholds[name]:
            pairs = zip(SENSITIVITIES, thresholds[name], strict=True)
            points[name] = tuple(_point(is_class, probabilities[:, k], wanted, at) for wanted, at in pairs)
    return points


def _point(is_class: np.ndarray, probability: np.ndarray, wanted: float, threshold: float) -> OperatingPoint:
    called = probability >= threshold
    return OperatingPoint(
        wanted_sensitivity=wanted,
        threshold=threshold,
        sensitivity=float(sk.recall_score(is_class, called)),
        specificity=float(sk.recall_score(~is_class, ~called)),
    )
