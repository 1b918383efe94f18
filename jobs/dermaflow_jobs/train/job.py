"""What one executor does in a training: shards to local disk, epochs with checkpoints, the chief's results to S3."""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path

from dermaflow_jobs.contract.metrics import Epoch
from dermaflow_jobs.contract.steps import TrainReport
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.runtime.progress import ProgressReporter
from dermaflow_jobs.train.checkpoints import Checkpoints, training_fingerprint
from dermaflow_jobs.train.epochs import EpochLoop
from dermaflow_jobs.train.loop import OnStep, Training
from dermaflow_jobs.train.problem import Problem
from dermaflow_jobs.train.publish import publish
from dermaflow_jobs.train.shards import download_split
from dermaflow_jobs.train.worker import TrainWorker

log = logging.getLogger(__name__)


def train_on(worker: TrainWorker, placement: Placement) -> TrainReport | None:
    """The chief's report; None from the other workers."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dermaflow-train-") as folder:
        problem = download_problem(worker, placement, Path(folder))
        training = Training(problem, placement)
        fingerprint = training_fingerprint(worker.spec, worker.manifest)
        loop = EpochLoop(training, Checkpoints(worker.store, worker.run_key, fingerprint))
        fitting = time.monotonic()
        fitted = loop.run(_reporter(worker, problem, loop.records) if placement.is_chief else _say_nothing)
        seconds = time.monotonic() - fitting
        if not placement.is_chief:
            return None
        publish(worker, loop, Path(folder))
        return TrainReport(
            dataset_id=worker.manifest.dataset_id,
            model=problem.options.model,
            parameters=training.model.count_params(),
            workers=placement.workers,
            epochs=len(loop.records),
            images_per_second=round(problem.samples_per_epoch * fitted / seconds, 1),
            seconds=round(time.monotonic() - began, 3),
        )


def download_problem(worker: TrainWorker, placement: Placement, folder: Path) -> Problem:
    """The validation split goes to the chief alone, who does the validating."""
    manifest = worker.manifest
    return Problem(
        options=worker.spec.options.train,
        classes=manifest.classes,
        image_size=manifest.image_size,
        train=download_split(worker.store, manifest, "train", folder),
        valid=download_split(worker.store, manifest, "valid", folder) if placement.is_chief else (),
    )


def _reporter(worker: TrainWorker, problem: Problem, records: list[Epoch]) -> OnStep:
    progress = ProgressReporter(worker.store, worker.run_key, "train")
    total = problem.samples_per_epoch * problem.options.epochs

    def report(epoch: int, samples: int, loss: float) -> None:
        progress.report("fitting", samples, total, "images", {"epoch": float(epoch), "loss": loss, **_scores(records)})

    return report


def _say_nothing(epoch: int, samples: int, loss: float) -> None:
    """Workers that are not the chief leave progress to it."""


def _scores(records: list[Epoch]) -> dict[str, float]:
    if not records:
        return {}
    known = {"valid_accuracy": records[-1].valid_accuracy, "mean_auc": records[-1].mean_auc}
    return {name: value for name, value in known.items() if value is not None}
