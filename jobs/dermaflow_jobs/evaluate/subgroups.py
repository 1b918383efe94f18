"""Scores by age and sex, where the data says them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from dermaflow_jobs.contract.metrics import Subgroup
from dermaflow_jobs.evaluate.scores import auc_by_class

AGES = ((0, 40, "under 40"), (40, 60, "40 to 59"), (60, 200, "60 and over"))


def subgroups(
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    *,
    predicted: np.ndarray,
    ages: np.ndarray,
    sexes: np.ndarray,
) -> dict[str, Subgroup]:
    """`ages` NaN and `sexes` empty where not known. Only subgroups that have images."""
    right = predicted == labels
    return {
        name: Subgroup(
            images=int(inside.sum()),
            accuracy=float(right[inside].mean()),
            auc=auc_by_class(labels[inside], probabilities[inside], classes),
        )
        for name, inside in _members(ages, sexes)
        if inside.any()
    }


def _members(ages: np.ndarray, sexes: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    for low, high, name in AGES:
        yield f"age: {name}", (ages >= low) & (ages < high)
    for sex in sorted({str(sex) for sex in sexes} - {""}):
        yield f"sex: {sex}", sexes == sex
