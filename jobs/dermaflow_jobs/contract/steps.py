"""The steps of a run, by the names used in S3 keys, EMR step names and module names, and what each hands on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.options.sweep import TrialValue

StepName = Literal["verify", "preprocess", "train", "evaluate", "score"]


def step_key(step: StepName, trial: int | None = None) -> str:
    """The name below which a step keeps its report, progress and failure in S3; each trial of a sweep its own."""
    return step if trial is None else f"{step}-trial-{trial:03d}"


class NodePython(Value):
    """What one Python process of the cluster can import."""

    host: str
    role: Literal["driver", "executor"]
    python: str
    executable: str
    versions: dict[str, str]
    missing: dict[str, str]
    """Module → the error that importing it gave."""


class VerifyReport(Value):
    processes: tuple[NodePython, ...]


class PreprocessReport(Value):
    dataset_id: str
    inputs_id: str = ""
    reused: bool
    images: int
    quarantined: int
    seconds: float


class TrainReport(Value):
    dataset_id: str
    model: str
    parameters: int
    workers: int
    epochs: int
    images_per_second: float
    seconds: float
    trial: int | None = None
    """The trial of a sweep whose network this is."""
    given: dict[str, TrialValue] = Field(default_factory=dict)
    """What that trial changed of the run's training options."""


class EvaluateReport(Value):
    seconds: float


class ScoreReport(Value):
    score_id: str
    reused: bool
    """Found finished: same images, same model."""
    images: int
    """That were scored."""
    failed: int
    """Objects that gave no image, each a row of failures.csv."""
    drifted: tuple[str, ...]
    """Names of what has drifted from the training set, worst first."""
    seconds: float

    def summary(self) -> str:
        """`120 images scored, 3 failed, drift in sharpness, brightness`."""
        drift = f"drift in {', '.join(self.drifted)}" if self.drifted else "no drift"
        return f"{self.images:,} images scored, {self.failed:,} failed, {drift}"
