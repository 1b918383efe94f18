"""`history.json` and `metrics.json`: how a model learned and what it scored, with the sample sizes behind it."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, AwareDatetime, Field

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.dataset import Split
from dermaflow_jobs.contract.trials import Trial


class Interval(Value):
    """95 %, by bootstrap over groups of images that belong together (one image each where none are known)."""

    low: float
    high: float


class OperatingPoint(Value):
    """A class against the rest at the threshold that gave at least this sensitivity on the validation split."""

    wanted_sensitivity: float
    threshold: float
    sensitivity: float
    specificity: float


class Calibration(Value):
    """Before and after dividing the logits by the temperature, which was fitted on the validation split."""

    temperature: float
    ece_before: float
    ece_after: float
    """Expected calibration error, 15 bins of confidence (Guo et al. 2017)."""
    brier_before: float
    brier_after: float
    """Over all classes, 0 to 2."""


class Subgroup(Value):
    """Scores of the images of one age band or sex."""

    images: int
    accuracy: float
    auc: dict[str, float | None]


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
    isic2017_mean_auc: float | None = None
    """The challenge's third score: mean of the AUCs of melanoma and seborrheic keratosis. None for other classes."""
    intervals: dict[str, Interval] = Field(default_factory=dict)
    """Of accuracy, balanced_accuracy, mean_auc, isic2017_mean_auc and auc:<class>, where defined."""
    sensitivity: dict[str, float | None] = Field(default_factory=dict)
    specificity: dict[str, float | None] = Field(default_factory=dict)
    """Class against the rest, the class that the model names counting as the answer."""
    operating_points: dict[str, tuple[OperatingPoint, ...]] = Field(default_factory=dict)
    calibration: Calibration | None = None
    subgroups: dict[str, Subgroup] = Field(default_factory=dict)
    """`sex: female`, `age: under 40`, …: where known."""


class Metrics(Value):
    version: Literal[1] = 1
    run_key: str
    dataset_id: str
    classes: tuple[str, ...]
    image_size: int
    model: str
    synthetic: bool
    train_images: int
    decision_offsets: tuple[float, ...] = ()
    """Added to the logarithms of the probabilities before the greatest is named, in the order of `classes`."""
    splits: dict[Split, SplitMetrics]
    cross_validation: SplitMetrics | None = None
    """Where folds were trained: of the training split's images, each by the network that had not seen it."""
    trials: tuple[Trial, ...] = ()
    """Of a sweep, all of them."""
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
    """Of several networks: their mean, as far as all of them went."""
    best_epoch: int
    """Whose weights were kept. Of several networks: the last that all of them reached."""
    networks: tuple[History, ...] = Field((), validation_alias=AliasChoices("networks", "folds"))
    """Where there are several; of folds, each scored on its own part of the training split. Runs that were made before
    there were others but folds have it under that name."""
    cross_validation: SplitMetrics | None = None
    """As in `Metrics`."""
