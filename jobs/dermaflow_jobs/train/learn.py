"""From a problem to what was learned: one network, several of different seeds, or one a fold of the training split."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import tensorflow as tf

from dermaflow_jobs.contract.metrics import Epoch, History, SplitMetrics
from dermaflow_jobs.contract.options import TrainOptions
from dermaflow_jobs.evaluate.bootstrap import intervals
from dermaflow_jobs.evaluate.predictions import Predictions, of_folds, predict_records
from dermaflow_jobs.evaluate.scores import score
from dermaflow_jobs.models.registry import as_classifier
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.runtime.progress import ProgressReporter
from dermaflow_jobs.train.checkpoints import Checkpoints, training_fingerprint
from dermaflow_jobs.train.epochs import EpochLoop
from dermaflow_jobs.train.folds import split_folds, without
from dermaflow_jobs.train.loop import OnStep, Training
from dermaflow_jobs.train.problem import Problem
from dermaflow_jobs.train.rivals import Rivals
from dermaflow_jobs.train.worker import TrainWorker


@dataclass(frozen=True)
class Learned:
    networks: tuple[keras.Model, ...]
    """The kept weights, as logits; their mean is the model."""
    history: History
    images_per_second: float
    stopped: bool = False
    """As hopeless, beside the other trials of a sweep."""


def learn(
    worker: TrainWorker, problem: Problem, placement: Placement, strategy: tf.distribute.Strategy, folder: Path
) -> Learned:
    """On every worker at once. Only the chief's value is of use."""
    if problem.options.folds:
        return _learn_folds(worker, problem, placement, strategy, folder)
    if problem.options.networks > 1:
        return _learn_several(worker, problem, placement, strategy)
    return _fit(worker, problem, placement, strategy)


def _fit(
    worker: TrainWorker, problem: Problem, placement: Placement, strategy: tf.distribute.Strategy, number: int = 0
) -> Learned:
    training = Training(problem, placement, strategy)
    fingerprint = training_fingerprint(worker.spec, worker.manifest, number)
    sweep = worker.spec.options.sweep
    stops = worker.trial is not None and sweep.sweep_stop
    loop = EpochLoop(
        training,
        Checkpoints(worker.store, worker.run_key, fingerprint),
        rivals=Rivals(worker.store, worker.run_key, worker.trial or 0, sweep.sweep_trials) if stops else None,
        tell=None if worker.trial is None else lambda history: worker.store.put(worker.history_key, history),
    )
    began = time.monotonic()
    fitted = loop.run(_reporter(worker, problem, loop.records, number) if placement.is_chief else _say_nothing)
    speed = problem.samples_per_epoch * fitted / (time.monotonic() - began)
    if not placement.is_chief:
        return Learned((), History(epochs=(), best_epoch=0), speed)
    return Learned((loop.kept_model(),), loop.history, speed, loop.stopped)


def _learn_several(
    worker: TrainWorker, problem: Problem, placement: Placement, strategy: tf.distribute.Strategy
) -> Learned:
    each = []
    for number in range(problem.options.networks):
        own = replace(problem, options=with_seed(problem.options, number))
        each.append(_fit(worker, own, placement, strategy, number))
    return _together(each, None)


def _learn_folds(
    worker: TrainWorker, problem: Problem, placement: Placement, strategy: tf.distribute.Strategy, folder: Path
) -> Learned:
    """A network a fold, each scored on its own fold, which it did not see."""
    options, each, held_out = problem.options, [], []
    parts = split_folds(problem.train, options.folds, folder)
    for fold, own in enumerate(parts):
        part = replace(
            problem,
            options=with_seed(options, fold),
            train=without(parts, fold),
            valid=own if placement.is_chief else (),
        )
        each.append(_fit(worker, part, placement, strategy, fold))
        if placement.is_chief:
            classifier = as_classifier(
                *each[-1].networks, eight_views=options.eight_views, second_crop=options.second_crop
            )
            paths = [path for files in own for path in files.paths]
            held_out.append(predict_records(classifier, paths, problem.image_size))
    return _together(each, _scores(held_out, problem) if held_out else None)


def with_seed(options: TrainOptions, number: int) -> TrainOptions:
    """Of one of several networks, from 0."""
    return options.model_copy(update={"seed": options.seed + number})


def _together(each: Sequence[Learned], cross_validation: SplitMetrics | None) -> Learned:
    speed = sum(one.images_per_second for one in each) / len(each)
    networks = tuple(network for one in each for network in one.networks)
    return Learned(networks, mean_history([one.history for one in each], cross_validation), speed)


def _scores(folds: Sequence[Predictions], problem: Problem) -> SplitMetrics:
    classes = problem.classes
    said = of_folds(folds, len(classes), problem.options.decision)
    labels, probabilities, predicted = said.labels, said.probabilities, said.predicted
    found = intervals(labels, probabilities, classes, said.bootstrap_groups(), predicted=predicted)
    return score(labels, probabilities, classes, predicted).model_copy(update={"intervals": found})


def mean_history(each: Sequence[History], cross_validation: SplitMetrics | None) -> History:
    """Epoch by epoch, as far as all of them went."""
    together = zip(*(history.epochs for history in each), strict=False)
    epochs = tuple(_mean(number, same) for number, same in enumerate(together, start=1))
    return History(epochs=epochs, best_epoch=len(epochs), networks=tuple(each), cross_validation=cross_validation)


def _mean(number: int, same: Sequence[Epoch]) -> Epoch:
    aucs = [epoch.mean_auc for epoch in same if epoch.mean_auc is not None]
    count = len(same)
    return Epoch(
        epoch=number,
        loss=sum(epoch.loss for epoch in same) / count,
        valid_loss=sum(epoch.valid_loss for epoch in same) / count,
        valid_accuracy=sum(epoch.valid_accuracy for epoch in same) / count,
        mean_auc=sum(aucs) / count if len(aucs) == count else None,
        seconds=sum(epoch.seconds for epoch in same),
    )


def _reporter(worker: TrainWorker, problem: Problem, records: list[Epoch], number: int) -> OnStep:
    progress = ProgressReporter(worker.store, worker.run_key, worker.step_key)
    one = problem.samples_per_epoch * problem.options.epochs
    total = one * problem.options.fits

    def report(epoch: int, samples: int, loss: float) -> None:
        figures = {"epoch": float(epoch), "loss": loss, **_scores_of(records)}
        progress.report("fitting", number * one + samples, total, "images", figures)

    return report


def _say_nothing(epoch: int, samples: int, loss: float) -> None:
    """Workers that are not the chief leave progress to it."""


def _scores_of(records: list[Epoch]) -> dict[str, float]:
    if not records:
        return {}
    known = {"valid_accuracy": records[-1].valid_accuracy, "mean_auc": records[-1].mean_auc}
    return {name: value for name, value in known.items() if value is not None}
