"""What Spark sends to executors: picklable, and without TensorFlow until it is called there."""

from __future__ import annotations

from dataclasses import dataclass

from dermaflow_jobs.contract.dataset import DatasetManifest
from dermaflow_jobs.contract.run_spec import RunSpec
from dermaflow_jobs.contract.steps import TrainReport, step_key
from dermaflow_jobs.contract.trials import TrialReport
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.runtime.s3 import Store


@dataclass(frozen=True)
class TrainWorker:
    """Calling it trains; the chief's result is the report, others' is None."""

    spec: RunSpec
    """Of a trial: with the trial's own options."""
    store: Store
    manifest: DatasetManifest
    trial: int | None = None

    def __call__(self, placement: Placement) -> TrainReport | TrialReport | None:
        from dermaflow_jobs.train.job import train_on, try_on

        return train_on(self, placement) if self.trial is None else try_on(self, placement, self.trial)

    @property
    def run_key(self) -> str:
        return self.spec.identity.run_key

    @property
    def step_key(self) -> str:
        return step_key("train", self.trial)

    @property
    def history_key(self) -> str:
        layout = self.store.layout
        return layout.history(self.run_key) if self.trial is None else layout.trial_history(self.run_key, self.trial)

    @property
    def model_key(self) -> str:
        layout = self.store.layout
        return layout.model(self.run_key) if self.trial is None else layout.trial_model(self.run_key, self.trial)
