"""Scores of a split, by scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn import metrics as sk

from dermaflow_jobs.contract.metrics import SplitMetrics


def score(labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> SplitMetrics:
    """`labels` (images,) as indices into `classes`, `probabilities` (images, classes)."""
    predicted = probabilities.argmax(axis=1)
    every = np.arange(len(classes))
    present = np.unique(labels)
    confusion = sk.confusion_matrix(labels, predicted, labels=every)
    recalls = sk.recall_score(labels, predicted, labels=present, average=None, zero_division=0)
    auc = {name: class_auc(labels == index, probabilities[:, index]) for index, name in enumerate(classes)}
    known = [value for value in auc.values() if value is not None]
    return SplitMetrics(
        images=len(labels),
        images_per_class={name: int((labels == index).sum()) for index, name in enumerate(classes)},
        accuracy=float(sk.accuracy_score(labels, predicted)),
        balanced_accuracy=float(np.mean(recalls)) if len(present) == len(classes) else None,
        auc=auc,
        mean_auc=float(np.mean(known)) if len(known) == len(classes) else None,
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
    )


def class_auc(is_class: np.ndarray, probability: np.ndarray) -> float | None:
    """One class against the rest; None where one of the two has no image."""
    if is_class.all() or not is_class.any():
        return None
    return float(sk.roc_auc_score(is_class, probability))
