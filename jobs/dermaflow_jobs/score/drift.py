"""How far a sample has moved from a reference: the population stability index, and what chance makes of it.

The index is Σ (q − p) ln(q / p) over bins that hold a tenth of the reference each. Of two samples of one population
with n and m values it is distributed as (1/n + 1/m) χ² with bins − 1 degrees of freedom (Yurdakul and Naranjo 2020,
https://doi.org/10.1108/JRFR-10-2019-0197), so that the usual threshold of 0.25 alone would cry wolf at every small
sample.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.stats import chi2

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.score import Drift

BINS: Final = 10
LEAST_IN_BIN: Final = 5
FALSE_ALARMS: Final = 0.001
"""Of reports in which nothing has changed, over all their statistics together."""
_HALF: Final = 0.5
"""Added to each bin, so that an empty one gives no infinite index."""


class Column(Value):
    """One statistic of the reference."""

    name: str
    mean: float
    edges: tuple[float, ...]
    """A value equal to an edge lies below it."""
    counts: tuple[int, ...]


class Reference(Value):
    """`score-reference.json`: the validation split, as its own model sees it."""

    version: int = 1
    code: str
    """Over the code that made it: another one makes it anew."""
    model_etag: str
    images: int
    columns: tuple[Column, ...]


def column(name: str, values: np.ndarray) -> Column:
    """Bins of a tenth each; fewer where there are few values, or where many are equal."""
    bins = max(2, min(BINS, len(values) // LEAST_IN_BIN))
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
    return Column(
        name=name,
        mean=float(values.mean()),
        edges=tuple(float(edge) for edge in edges),
        counts=tuple(int(count) for count in count_into(edges, values)),
    )


def count_into(edges: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)


def compare(reference: Reference, values: np.ndarray) -> tuple[Drift, ...]:
    """`values` (images, columns), in the order of the reference's columns. Largest index first."""
    columns = len(reference.columns)
    found = [_drift(each, values[:, number], columns) for number, each in enumerate(reference.columns)]
    return tuple(sorted(found, key=lambda drift: -drift.psi))


def _drift(reference: Column, values: np.ndarray, columns: int) -> Drift:
    before = np.array(reference.counts)
    after = count_into(np.array(reference.edges), values)
    return Drift(
        name=reference.name,
        reference_mean=reference.mean,
        mean=float(values.mean()),
        psi=stability_index(before, after),
        noise=noise(int(before.sum()), len(values), len(before), columns),
        edges=reference.edges,
        reference_shares=tuple((before / before.sum()).tolist()),
        shares=tuple((after / after.sum()).tolist()),
    )


def stability_index(before: np.ndarray, after: np.ndarray) -> float:
    """Counts by bin."""
    p = (before + _HALF) / (before + _HALF).sum()
    q = (after + _HALF) / (after + _HALF).sum()
    return float(((q - p) * np.log(q / p)).sum())


def noise(before: int, after: int, bins: int, columns: int) -> float:
    """What the largest of `columns` indices exceeds by chance in FALSE_ALARMS of all reports."""
    return float((1 / before + 1 / after) * chi2.ppf(1 - FALSE_ALARMS / columns, bins - 1))
