"""`history.json` and `metrics.json`: how a model learned and what it scored, with the sample sizes behind it."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.dataset import Split


class SplitMetrics(Value):
    """Scores on one split. A score that is not defined there (a class without images) is None."""

    images: int
    images_per_class: dict[str, int]
    accuracy: float
    balanced_accuracy: float | None
    auc: dict[str, float | None]
    """Class → area under the ROC curve, that class against the rest."""
    mean_auc: float | None
    confusion: tuple[tuple[int, ...], ...]
    """Rows: true class; columns: predicted; both in the order of `Metrics.classes`."""


class Metrics(Value):
    version: Literal[1] = 1
    run_key: str
    dataset_id: str
    classes: tuple[str, ...]
    image_size: int
    model: str
    synthetic: bool
    train_images: int
    splits: dict[Split, SplitMetrics]
    created_at: AwareDatetime


class Epoch(Value):
    """One pass. Loss is the training loss, averaged over the epoch; the scores are of the validation split."""

    epoch: int
    """From 1."""
    loss: float
    valid_loss: float
    valid_accuracy: float
    mean_auc: float | None
    seconds: float


class History(Value):
    version: Literal[1] = 1
    epochs: tuple[Epoch, ...]
    best_epoch: int
    """Whose weights were kept."""
