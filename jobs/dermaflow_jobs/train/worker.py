"""What Spark sends to executors: picklable, and without TensorFlow until it is called there."""

from __future__ import annotations

from dataclasses import dataclass

from dermaflow_jobs.contract.dataset import DatasetManifest
from dermaflow_jobs.contract.run_spec import RunSpec
from dermaflow_jobs.contract.steps import TrainReport
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.runtime.s3 import Store


@dataclass(frozen=True)
class TrainWorker:
    """Calling it trains; the chief's result is the report, others' is None."""

    spec: RunSpec
    store: Store
    manifest: DatasetManifest

    def __call__(self, placement: Placement) -> TrainReport | None:
        from dermaflow_jobs.train.job import train_on

        return train_on(self, placement)

    @property
    def run_key(self) -> str:
        return self.spec.identity.run_key
