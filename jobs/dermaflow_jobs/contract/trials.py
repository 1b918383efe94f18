"""One trial of a sweep: what it was given and how it did. Kept in S3 a trial each, and all of them with the metrics."""

from __future__ import annotations

from typing import Literal

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.options.sweep import TrialValue
from dermaflow_jobs.contract.steps import TrainReport


class Trial(Value):
    number: int
    """From 0."""
    given: dict[str, TrialValue]
    """Training option → the value that was drawn."""
    state: Literal["finished", "stopped", "diverged"]
    """Stopped: hopeless beside the others. Diverged: the loss was no longer a number."""
    epochs: int
    best_epoch: int = 0
    mean_auc: float | None
    """On validation, after the epoch whose weights were kept."""


class TrialReport(Value):
    """What the step of one trial hands on."""

    trial: Trial
    trained: TrainReport | None
    """None where it diverged."""
