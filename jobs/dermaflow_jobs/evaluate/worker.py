"""What Spark sends to an executor: picklable, and without TensorFlow until it is called there."""

from __future__ import annotations

from dataclasses import dataclass

from dermaflow_jobs.contract.dataset import DatasetManifest, Split
from dermaflow_jobs.contract.metrics import Metrics
from dermaflow_jobs.contract.run_spec import RunSpec
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.runtime.s3 import Store


@dataclass(frozen=True)
class EvaluateWorker:
    """Calling it writes the predictions and returns the scores."""

    spec: RunSpec
    store: Store
    manifest: DatasetManifest
    splits: tuple[Split, ...]

    def __call__(self, _: Placement) -> Metrics:
        from dermaflow_jobs.evaluate.job import evaluate_on

        return evaluate_on(self)

    @property
    def run_key(self) -> str:
        return self.spec.identity.run_key
