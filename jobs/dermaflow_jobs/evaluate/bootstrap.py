"""Intervals: what the scores would be on other samples of as many patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dermaflow_jobs.contract.metrics import Interval

FOLDS = 2000
ROWS_AT_ONCE = 4_000_000
"""Weights held in memory at a time."""

Scores = dict[str, np.ndarray]


def intervals(
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    groups: np.ndarray | None = None,
    *,
    predicted: np.ndarray | None = None,
    folds: int = FOLDS,
    seed: int = 0,
) -> dict[str, Interval]:
    """95 % percentile intervals by the bootstrap over groups: `groups` (images,) says which images belong together.

    `predicted` (images,) are the classes named, unless that is always the most probable.

    A score's interval is left out where fewer than half of the folds define it.
    """
    images = len(labels)
    group = np.arange(images) if groups is None else np.unique(groups, return_inverse=True)[1]
    number, generator = int(group.max()) + 1, np.random.default_rng(seed)
    step = max(1, ROWS_AT_ONCE // images)
    parts = []
    for first in range(0, folds, step):
        drawn = generator.multinomial(number, np.full(number, 1 / number), size=min(step, folds - first))
        parts.append(weighted_scores(labels, probabilities, classes, drawn[:, group].astype(np.float64), predicted))
    return {
        name: Interval(low=float(np.nanpercentile(values, 2.5)), high=float(np.nanpercentile(values, 97.5)))
        for name in parts[0]
        if np.isfinite(values := np.concatenate([part[name] for part in parts])).mean() >= 0.5
    }


def weighted_scores(
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    weights: np.ndarray,
    predicted: np.ndarray | None = None,
) -> Scores:
    """Each score (folds,) under `weights` (folds, images); NaN where a fold has no image of a class that it needs."""
    right = ((probabilities.argmax(axis=1) if predicted is None else predicted) == labels).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        recalls = [(weights * (labels == k)) @ right / (weights @ (labels == k)) for k in range(len(classes))]
        scores = {"accuracy": weights @ right / weights.sum(axis=1), "balanced_accuracy": np.mean(recalls, axis=0)}
    auc = {name: weighted_auc(labels == k, probabilities[:, k], weights) for k, name in enumerate(classes)}
    scores |= {f"auc:{name}": values for name, values in auc.items()}
    scores["mean_auc"] = np.mean(list(auc.values()), axis=0)
    if {"melanoma", "seborrheic_keratosis"} <= auc.keys():
        scores["isic2017_mean_auc"] = (auc["melanoma"] + auc["seborrheic_keratosis"]) / 2
    return scores


def weighted_auc(is_class: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve (folds,), ties counting half, all folds in one pass over the sorted scores.

    As `sklearn.metrics.roc_auc_score` with `sample_weight`, which would be called thousands of times.
    """
    order = np.argsort(score, kind="stable")
    first_of_tie = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    positive = np.add.reduceat((weights * is_class)[:, order], first_of_tie, axis=1)
    negative = np.add.reduceat((weights * ~is_class)[:, order], first_of_tie, axis=1)
    below = np.cumsum(negative, axis=1) - negative
    with np.errstate(invalid="ignore", divide="ignore"):
        area: np.ndarray = (positive * (below + negative / 2)).sum(axis=1) / (
            positive.sum(axis=1) * negative.sum(axis=1)
        )
    return area
