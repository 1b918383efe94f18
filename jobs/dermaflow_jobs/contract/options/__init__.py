"""What a user chooses for a run, a file a part. Airflow's trigger form is generated from these fields.

Titles, units, help texts and ranges live here and nowhere else. Field names are unique over all parts, so that
the form's flat parameters need no prefix (a test holds this).
"""

from __future__ import annotations

from pydantic import model_validator

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.options.cluster import ClusterOptions
from dermaflow_jobs.contract.options.data import DEFAULT_CLASSES, DataOptions
from dermaflow_jobs.contract.options.evaluate import EvaluateOptions
from dermaflow_jobs.contract.options.preprocess import PreprocessOptions
from dermaflow_jobs.contract.options.promotion import PromotionOptions
from dermaflow_jobs.contract.options.train import TrainOptions

__all__ = [
    "DEFAULT_CLASSES",
    "ClusterOptions",
    "DataOptions",
    "EvaluateOptions",
    "PreprocessOptions",
    "PromotionOptions",
    "RunOptions",
    "TrainOptions",
]


class RunOptions(Value):
    """All that a user may choose."""

    data: DataOptions = DataOptions()
    preprocess: PreprocessOptions = PreprocessOptions()
    train: TrainOptions = TrainOptions()
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
