"""Is one model better than another on the same held-out images? A paired bootstrap, from what each said of every image.

The images are drawn anew, whole groups at a time (a lesion, a patient, near-duplicates), and both models are scored on
each drawing: what the drawing does to both cancels out. Nothing here knows S3 or Airflow.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dermaflow_jobs.contract.champion import Comparison, Scores
from dermaflow_jobs.contract.metrics import Interval

Floats = NDArray[np.float64]

RESAMPLINGS: Final = 2000
LEAST_IMAGES: Final = 5
"""Of each class, that both models were asked about; with fewer there is nothing to say."""
WEIGHTS_AT_ONCE: Final = 4_000_000


@dataclass(frozen=True)
class Answers:
    """What a model said, a row an image; columns of equal length."""

    keys: NDArray[np.str_]
    groups: NDArray[np.str_]
    """The image's own key where it belongs to no group."""
    labels: NDArray[np.int64]
    probabilities: Floats
    """(images, classes)"""
    predicted: NDArray[np.int64]
    """The class that the model named, which need not be the most probable."""

    def __len__(self) -> int:
        return len(self.keys)

    def rows(self, chosen: NDArray[np.intp]) -> Answers:
        return Answers(**{column: values[chosen] for column, values in vars(self).items()})


def read_answers(table: bytes, classes: Sequence[str]) -> Answers:
    """A run's table of predictions. Raises KeyError or ValueError where it is not one of these classes."""
    rows = list(csv.DictReader(io.StringIO(table.decode())))
    return Answers(
        keys=np.array([row["key"] for row in rows], dtype=np.str_),
        groups=np.array([row.get("group") or f"image:{row['key']}" for row in rows], dtype=np.str_),
        labels=np.array([classes.index(row["label"]) for row in rows], dtype=np.int64),
        probabilities=np.array([[float(row[name]) for name in classes] for row in rows], np.float64).reshape(
            -1, len(classes)
        ),
        predicted=np.array([classes.index(row["predicted"]) for row in rows], dtype=np.int64),
    )


def compare(
    challenger: Answers, champion: Answers, classes: Sequence[str], *, name: str, seed: int = 0
) -> Comparison | None:
    """On the images that both answered for; label and group are the challenger's. None where they are too few."""
    _, ours, theirs = np.intersect1d(challenger.keys, champion.keys, return_indices=True)
    new, old = challenger.rows(ours), champion.rows(theirs)
    per_class = np.bincount(new.labels, minlength=len(classes))
    if per_class.min() < LEAST_IMAGES:
        return None
    once = np.ones((1, len(new)))
    before = mean_auc(new.labels, old.probabilities, once)[0]
    after = mean_auc(new.labels, new.probabilities, once)[0]
    differences = _differences(new, old.probabilities, seed)
    return Comparison(
        champion=name,
        images=len(new),
        images_per_class={label: int(count) for label, count in zip(classes, per_class, strict=True)},
        challenger_scores=_scores(float(after), new.labels, new.predicted, classes),
        champion_scores=_scores(float(before), new.labels, old.predicted, classes),
        difference=float(after - before),
        difference_interval=Interval(
            low=float(np.percentile(differences, 2.5)), high=float(np.percentile(differences, 97.5))
        ),
        confidence=float((differences > 0).mean() + (differences == 0).mean() / 2),
        resamplings=len(differences),
    )


def _differences(new: Answers, old: Floats, seed: int) -> Floats:
    """Mean AUC, new minus old, a value a resampling; those that drew no image of some class are left out."""
    group = np.unique(new.groups, return_inverse=True)[1]
    number, generator = int(group.max()) + 1, np.random.default_rng(seed)
    step = max(1, WEIGHTS_AT_ONCE // len(new))
    parts = []
    for first in range(0, RESAMPLINGS, step):
        drawn = generator.multinomial(number, np.full(number, 1 / number), size=min(step, RESAMPLINGS - first))
        weights = drawn[:, group].astype(np.float64)
        parts.append(mean_auc(new.labels, new.probabilities, weights) - mean_auc(new.labels, old, weights))
    found = np.concatenate(parts)
    return found[np.isfinite(found)]


def mean_auc(labels: NDArray[np.int64], probabilities: Floats, weights: Floats) -> Floats:
    """(resamplings,) mean over classes of the area under the ROC curve, each class against the rest."""
    areas = [_auc(labels == k, probabilities[:, k], weights) for k in range(probabilities.shape[1])]
    return np.asarray(np.mean(areas, axis=0))


def _auc(is_class: NDArray[np.bool_], score: Floats, weights: Floats) -> Floats:
    """All resamplings in one pass over the sorted scores; ties count half. (A test holds it to the job's own.)"""
    order = np.argsort(score, kind="stable")
    first_of_tie = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    positive = np.add.reduceat((weights * is_class)[:, order], first_of_tie, axis=1)
    negative = np.add.reduceat((weights * ~is_class)[:, order], first_of_tie, axis=1)
    below = np.cumsum(negative, axis=1) - negative
    with np.errstate(invalid="ignore", divide="ignore"):
        wins = (positive * (below + negative / 2)).sum(axis=1)
        return np.asarray(wins / (positive.sum(axis=1) * negative.sum(axis=1)))


def _scores(auc: float, labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: Sequence[str]) -> Scores:
    right = predicted == labels
    return Scores(mean_auc=auc, sensitivity={name: float(right[labels == k].mean()) for k, name in enumerate(classes)})
