"""`champion.json`: which model is the one to use; and why it is, or why another is not."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.metrics import Interval


class Scores(Value):
    """Of one model on the images that both were asked about."""

    mean_auc: float
    sensitivity: dict[str, float]
    """Class against the rest, the class that the model names counting as the answer."""


class Comparison(Value):
    """Challenger and champion on the same held-out images: the challenger's validation split, without what the
    champion was trained on."""

    champion: str
    """`Champion.name` of the one it was compared with."""
    images: int
    images_per_class: dict[str, int]
    challenger_scores: Scores
    champion_scores: Scores
    difference: float
    """Mean AUC, challenger minus champion."""
    difference_interval: Interval
    """By the paired bootstrap over groups of images: each resampling scores both models."""
    confidence: float
    """Share of the resamplings in which the challenger's mean AUC is the higher one."""
    resamplings: int


class Promotion(Value):
    """What became of a run's model."""

    promoted: bool
    why: str
    decided_at: AwareDatetime
    comparison: Comparison | None = None
    """None where there was nothing to compare with, or no way to."""
    decided_by: str | None = None
    """The user who approved or refused; None where nobody was asked or nobody answered."""


class Champion(Value):
    """A model that was crowned. `models/champion.json` is the present one, `models/history/` has every one ever."""

    version: Literal[1] = 1
    number: int = 1
    """Counts crownings, from 1: also the name of its object in the history."""
    run_key: str
    dataset_id: str
    model_id: str = ""
    """Names the folder `models/kept/<model_id>/` of copies that no later run overwrites. Empty: not kept (records of
    before there were any)."""
    model_key: str
    predictions_key: str | None = None
    """CSV of its validation split, a row an image."""
    metrics_key: str | None = None
    card_key: str | None = None
    model: str | None = None
    """Architecture."""
    classes: tuple[str, ...] = ()
    image_size: int | None = None
    mean_auc: float
    """On its own validation split."""
    mean_auc_interval: Interval | None = None
    sensitivity: dict[str, float | None] = Field(default_factory=dict)
    valid_images: int
    synthetic: bool
    """Trained on drawn images: good for trying the machinery, never for a real lesion."""
    crowned_at: AwareDatetime
    crowned_by: Literal["run", "rollback"] = "run"
    why: str = ""
    comparison: Comparison | None = None
    """With the champion before."""
    decided_by: str | None = None
    """The user who approved it or rolled back to it; None where nobody was asked."""
    dethroned: str | None = None
    """Run key of the champion before."""

    @property
    def name(self) -> str:
        """Of the very model: a run's key alone names what a later pass over the same date overwrites."""
        return self.model_id or self.run_key
