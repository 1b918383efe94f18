"""Scores of a split, by scikit-learn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from sklearn import metrics as sk

from dermaflow_jobs.contract.metrics import SplitMetrics


def score(
    labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], predicted: np.ndarray | None = None
) -> SplitMetrics:
    """Those without intervals. `labels` (images,) are indices into `classes`, `probabilities` (images, classes).

    `predicted` (images,) are the classes named, unless that is always the most probable.
    """
    predicted = probabilities.argmax(axis=1) if predicted is None else predicted
    confusion = sk.confusion_matrix(labels, predicted, labels=np.arange(len(classes)))
    sensitivity, specificity = _rates(confusion, classes)
    auc = auc_by_class(labels, probabilities, classes)
    return SplitMetrics(
        images=len(labels),
        images_per_class={name: int((labels == index).sum()) for index, name in enumerate(classes)},
        accuracy=float(sk.accuracy_score(labels, predicted)),
        balanced_accuracy=mean_if_all(sensitivity.values()),
        auc=auc,
        mean_auc=mean_if_all(auc.values()),
        isic2017_mean_auc=mean_if_all((auc.get("melanoma"), auc.get("seborrheic_keratosis"))),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        sensitivity=sensitivity,
        specificity=specificity,
    )


def auc_by_class(labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> dict[str, float | None]:
    """Each class against the rest; None where one of the two has no image."""
    return {name: _auc(labels == index, probabilities[:, index]) for index, name in enumerate(classes)}


def _auc(is_class: np.ndarray, probability: np.ndarray) -> float | None:
    if is_class.all() or not is_class.any():
        return None
    return float(sk.roc_auc_score(is_class, probability))


def mean_if_all(values: Iterable[float | None]) -> float | None:
    """None if one of them is."""
    known = list(values)
    return None if None in known else float(np.mean([value for value in known if value is not None]))


def _rates(confusion: np.ndarray, classes: Sequence[str]) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """Sensitivity and specificity of each class against the rest."""
    own, images = confusion.sum(axis=1), confusion.sum()
    sensitivity: dict[str, float | None] = {}
    specificity: dict[str, float | None] = {}
    for k, name in enumerate(classes):
        hit, others = confusion[k, k], images - own[k]
        false_alarms = confusion[:, k].sum() - hit
        sensitivity[name] = float(hit / own[k]) if own[k] else None
        specificity[name] = float(1 - false_alarms / others) if others else None
    return sensitivity, specificity
