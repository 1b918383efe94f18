"""What a user chooses for a run, a file a part. Airflow's trigger form is generated from these fields.

Titles, units, help texts and ranges live here and nowhere else. Field names are unique over all parts, so that
the form's flat parameters need no prefix (a test holds this).
"""

from __future__ import annotations

from typing import Final

from pydantic import ValidationError, model_validator

from dermaflow_jobs.contract.base import Value, describe
from dermaflow_jobs.contract.options.backbones import SMALLEST_IMAGE
from dermaflow_jobs.contract.options.cluster import ClusterOptions
from dermaflow_jobs.contract.options.data import DEFAULT_CLASSES, DataOptions
from dermaflow_jobs.contract.options.evaluate import EvaluateOptions
from dermaflow_jobs.contract.options.preprocess import PreprocessOptions
from dermaflow_jobs.contract.options.promotion import PromotionOptions
from dermaflow_jobs.contract.options.sweep import Range, SweepOptions, TrialValue
from dermaflow_jobs.contract.options.train import TrainOptions

__all__ = [
    "DEFAULT_CLASSES",
    "ClusterOptions",
    "DataOptions",
    "EvaluateOptions",
    "PreprocessOptions",
    "PromotionOptions",
    "RunOptions",
    "SweepOptions",
    "TrainOptions",
]


NOT_SEARCHED: Final = frozenset({"train_workers", "folds", "networks", "backbone_weights", "patience"})
"""Training options that a sweep does not vary: they are about machines, or about when to stop."""


class RunOptions(Value):
    """All that a user may choose."""

    data: DataOptions = DataOptions()
    preprocess: PreprocessOptions = PreprocessOptions()
    train: TrainOptions = TrainOptions()
    sweep: SweepOptions = SweepOptions()
    evaluate: EvaluateOptions = EvaluateOptions()
    promotion: PromotionOptions = PromotionOptions()
    cluster: ClusterOptions = ClusterOptions()

    @model_validator(mode="after")
    def _shares_leave_room(self) -> RunOptions:
        held_out = self.preprocess.valid_share + self.preprocess.test_share
        if held_out > 0.6:
            raise ValueError(f"valid_share + test_share = {held_out:.2f}: at most 0.6, the rest is for training")
        if self.train.batch_size % self.train.train_workers:
            raise ValueError(
                f"batch_size = {self.train.batch_size}: must be a multiple of"
                f" train_workers = {self.train.train_workers}"
            )
        return self

    @model_validator(mode="after")
    def _network_sees_something(self) -> RunOptions:
        smallest = SMALLEST_IMAGE.get(self.train.model, 32)
        if self.preprocess.image_size < smallest:
            raise ValueError(f"image_size = {self.preprocess.image_size}: {self.train.model} needs at least {smallest}")
        return self

    @model_validator(mode="after")
    def _every_trial_would_be_allowed(self) -> RunOptions:
        if not self.sweep.sweep_trials:
            return self
        if self.train.fits > 1:
            name = "folds" if self.train.folds else "networks"
            raise ValueError(f"sweep_trials with {name} = {self.train.fits}: search first, then train the {name}")
        for name, values in self.sweep.sweep_space.items():
            if name not in TrainOptions.model_fields or name in NOT_SEARCHED:
                raise ValueError(f"sweep_space: {name} is no training option that can be searched")
            for value in (values.low, values.high) if isinstance(values, Range) else values:
                self.trial_options({name: value})
        if self.sweep.sweep_trials > self.sweep.combinations():
            raise ValueError(
                f"sweep_trials = {self.sweep.sweep_trials}: sweep_space has"
                f" only {self.sweep.combinations():.0f} combinations"
            )
        return self

    def trial_options(self, given: dict[str, TrialValue]) -> TrainOptions:
        """The training options with some changed. Raises ValueError where that is not allowed."""
        changed = self.train.model_dump() | given
        if changed["batch_size"] % changed["train_workers"]:
            raise ValueError(f"sweep_space: batch_size = {changed['batch_size']} is no multiple of train_workers")
        try:
            return TrainOptions.model_validate(changed)
        except ValidationError as error:
            raise ValueError(f"sweep_space: {describe(error)}") from None
