"""What one executor does in a training: shards to local disk, epochs with checkpoints, the chief's results to S3."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from dermaflow_jobs.contract.metrics import History
from dermaflow_jobs.contract.steps import TrainReport
from dermaflow_jobs.contract.trials import Trial, TrialReport
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.train.learn import Learned, learn
from dermaflow_jobs.train.loop import DivergedError
from dermaflow_jobs.train.problem import Problem
from dermaflow_jobs.train.publish import publish
from dermaflow_jobs.train.shards import download_split, download_weights
from dermaflow_jobs.train.strategy import make_strategy
from dermaflow_jobs.train.trials import given_to
from dermaflow_jobs.train.worker import TrainWorker


def train_on(worker: TrainWorker, placement: Placement) -> TrainReport | None:
    """The chief's report; None from the other workers."""
    began = time.monotonic()
    learned = _learn_and_publish(worker, placement)
    return _report(worker, placement, learned, began) if learned else None


def try_on(worker: TrainWorker, placement: Placement, number: int) -> TrialReport | None:
    """A trial of a sweep: a loss that is no number is a result like any other."""
    began, given = time.monotonic(), given_to(worker.spec, number)
    try:
        learned = _learn_and_publish(worker, placement)
    except DivergedError:
        done = worker.store.find(worker.history_key, History) if placement.is_chief else None
        epochs = len(done.epochs) if done else 0
        trial = Trial(number=number, given=given, state="diverged", epochs=epochs, mean_auc=None)
        return TrialReport(trial=trial, trained=None) if placement.is_chief else None
    if learned is None:
        return None
    history = learned.history
    trial = Trial(
        number=number,
        given=given,
        state="stopped" if learned.stopped else "finished",
        epochs=len(history.epochs),
        best_epoch=history.best_epoch,
        mean_auc=history.epochs[history.best_epoch - 1].mean_auc,
    )
    trained = _report(worker, placement, learned, began).model_copy(update={"trial": number, "given": given})
    return TrialReport(trial=trial, trained=trained)


def _learn_and_publish(worker: TrainWorker, placement: Placement) -> Learned | None:
    with tempfile.TemporaryDirectory(prefix="dermaflow-train-") as folder:
        strategy = make_strategy(placement)  # before TensorFlow does anything else in this process
        problem = download_problem(worker, placement, Path(folder))
        learned = learn(worker, problem, placement, strategy, Path(folder))
        if not placement.is_chief:
            return None
        publish(worker, problem, learned, Path(folder))
        return learned


def download_problem(worker: TrainWorker, placement: Placement, folder: Path) -> Problem:
    """The validation split goes to the chief alone, who does the validating."""
    manifest, options = worker.manifest, worker.spec.options.train
    return Problem(
        options=options,
        classes=manifest.classes,
        image_size=manifest.image_size,
        train=download_split(worker.store, manifest, "train", folder),
        valid=download_split(worker.store, manifest, "valid", folder) if placement.is_chief else (),
        backbone_weights=download_weights(options.backbone_weights, folder) if options.backbone_weights else None,
    )


def _report(worker: TrainWorker, placement: Placement, learned: Learned, began: float) -> TrainReport:
    return TrainReport(
        dataset_id=worker.manifest.dataset_id,
        model=worker.spec.options.train.model,
        parameters=sum(network.count_params() for network in learned.networks),
        workers=placement.workers,
        epochs=len(learned.history.epochs),
        images_per_second=round(learned.images_per_second, 1),
        seconds=round(time.monotonic() - began, 3),
    )
