"""What one executor does in a training: shards to local disk, the loop, and, if it is the chief, the results to S3."""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path

import tensorflow as tf

from dermaflow_jobs.contract.metrics import Epoch, History
from dermaflow_jobs.contract.steps import TrainReport
from dermaflow_jobs.models.registry import with_probabilities
from dermaflow_jobs.models.saved import ModelInfo, save_model
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.runtime.progress import ProgressReporter
from dermaflow_jobs.train.loop import Problem, Training, finish_epoch
from dermaflow_jobs.train.shards import download_split
from dermaflow_jobs.train.strategy import make_strategy
from dermaflow_jobs.train.worker import TrainWorker

log = logging.getLogger(__name__)


def train_on(worker: TrainWorker, placement: Placement) -> TrainReport | None:
    began = time.monotonic()
    strategy = make_strategy(placement)
    with tempfile.TemporaryDirectory(prefix="dermaflow-train-") as folder:
        return _train(worker, placement, strategy, Path(folder), began)


def _train(
    worker: TrainWorker, placement: Placement, strategy: tf.distribute.Strategy, folder: Path, began: float
) -> TrainReport | None:
    options, manifest = worker.spec.options.train, worker.manifest
    progress = ProgressReporter(worker.store, worker.run_key, "train")
    problem = Problem(
        options=options,
        classes=manifest.classes,
        image_size=manifest.image_size,
        train=download_split(worker.store, manifest, "train", folder),
        valid=download_split(worker.store, manifest, "valid", folder) if placement.is_chief else (),
    )
    training = Training(problem, strategy, placement.is_chief)
    total = problem.samples_per_epoch * options.epochs

    def on_step(epoch: int, samples: int, loss: float) -> None:
        if placement.is_chief:
            figures = {"epoch": float(epoch), "loss": loss, **_scores(training.epochs)}
            progress.report("fitting", samples, total, "images", figures)

    batches, fitting = training.batches(), time.monotonic()
    while len(training.epochs) < options.epochs:
        epoch_began = time.monotonic()
        loss = training.run_epoch(batches, on_step)
        log.info("%s", finish_epoch(training, loss, epoch_began))
    seconds = time.monotonic() - fitting
    if not placement.is_chief:
        return None
    _publish(worker, training, folder)
    return TrainReport(
        dataset_id=manifest.dataset_id,
        model=options.model,
        parameters=training.averaged.count_params(),
        workers=placement.workers,
        epochs=len(training.epochs),
        images_per_second=round(problem.samples_per_epoch * len(training.epochs) / seconds, 1),
        seconds=round(time.monotonic() - began, 3),
    )


def _scores(epochs: list[Epoch]) -> dict[str, float]:
    if not epochs:
        return {}
    last = epochs[-1]
    known = {"valid_accuracy": last.valid_accuracy, "mean_auc": last.mean_auc}
    return {name: value for name, value in known.items() if value is not None}


def _publish(worker: TrainWorker, training: Training, folder: Path) -> None:
    store, manifest = worker.store, worker.manifest
    history = History(epochs=tuple(training.epochs), best_epoch=len(training.epochs))
    store.put(store.layout.history(worker.run_key), history)
    info = ModelInfo(
        architecture=worker.spec.options.train.model,
        classes=manifest.classes,
        image_size=manifest.image_size,
        temperature=1.0,
        synthetic=manifest.synthetic,
        run_key=worker.run_key,
        dataset_id=manifest.dataset_id,
        code_id=worker.spec.code.code_id,
    )
    path = folder / "model.keras"
    save_model(with_probabilities(training.averaged, temperature=info.temperature), path, info)
    store.upload(str(path), store.layout.model(worker.run_key))
