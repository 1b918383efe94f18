"""What happens between epochs: validation, a checkpoint, and whether to go on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import keras

from dermaflow_jobs.contract.metrics import Epoch, History
from dermaflow_jobs.train.checkpoints import Arrays, Checkpoints
from dermaflow_jobs.train.loop import OnStep, Training
from dermaflow_jobs.train.rivals import Rivals
from dermaflow_jobs.train.state import capture, restore
from dermaflow_jobs.train.validation import Validation

log = logging.getLogger(__name__)

BEST = "best/"
"""Of names in a checkpoint: the averaged model's variables after the best epoch."""


class EpochLoop:
    """Resumes from the newest checkpoint. Records and best weights are the chief's; others follow its word.

    `rivals`: the other trials of a sweep, which may show that this one is hopeless. `tell` is called after each epoch.
    """

    def __init__(
        self,
        training: Training,
        checkpoints: Checkpoints,
        *,
        rivals: Rivals | None = None,
        tell: Callable[[History], None] | None = None,
    ) -> None:
        self.training, self._checkpoints, self._rivals, self._tell = training, checkpoints, rivals, tell
        self.stopped = False
        self.records: list[Epoch] = []
        self._best: Arrays = {}
        self._validation: Validation | None = None

    def run(self, on_step: OnStep) -> int:
        """Train to the end; the number of epochs that this took, without those that a checkpoint already had."""
        training = self.training
        first = self._resume()
        batches = training.batches()
        while not self._is_over():
            began = time.monotonic()
            loss = training.run_epoch(batches, on_step)
            if training.placement.is_chief:
                self._record(loss, began)
        return training.done - first

    @property
    def best_epoch(self) -> int:
        """Whose weights are kept: with early stopping the best mean AUC's, the earliest of equals; else the last."""
        if not self.training.problem.options.patience:
            return len(self.records)
        return max(self.records, key=lambda record: (record.mean_auc or 0.0, -record.epoch)).epoch

    @property
    def history(self) -> History:
        return History(epochs=tuple(self.records), best_epoch=self.best_epoch)

    def kept_model(self) -> keras.Model:
        """The best epoch's averaged weights."""
        model = self.training.averaged_model()
        if self._best:
            for index, variable in enumerate(model.variables):
                variable.assign(self._best[f"{BEST}{index:04d}"])
        return model

    def _resume(self) -> int:
        training = self.training
        epoch = training.from_chief(self._checkpoints.newest() if training.placement.is_chief else 0)
        if epoch:
            checkpoint = self._checkpoints.load(epoch)
            log.info("resuming after epoch %d", epoch)
            self._best = {name: value for name, value in checkpoint.arrays.items() if name.startswith(BEST)}
            restore(training, checkpoint.arrays)
            self.records += checkpoint.meta.epochs
            training.done = epoch
        return epoch

    def _is_over(self) -> bool:
        options, training = self.training.problem.options, self.training
        if training.done >= options.epochs:
            return True
        if not training.done or not (options.patience or self._rivals):
            return False
        ends = training.placement.is_chief and (self.stopped or self._has_waited_enough())
        return bool(training.from_chief(int(ends)))

    def _has_waited_enough(self) -> bool:
        patience = self.training.problem.options.patience
        return bool(patience) and self.training.done - self.best_epoch >= patience

    def _record(self, loss: float, began: float) -> None:
        model = self.training.averaged_model()
        if self._validation is None:
            self._validation = Validation(model, self.training.problem)
        self.records.append(self._validation.epoch(self.training.done, loss=loss, seconds=time.monotonic() - began))
        log.info("%s", self.records[-1])
        if self.training.problem.options.patience and self.best_epoch == self.training.done:
            self._best = {f"{BEST}{i:04d}": variable.numpy() for i, variable in enumerate(model.variables)}
        self._checkpoints.save(tuple(self.records), {**capture(self.training), **self._best})
        if self._tell:
            self._tell(self.history)
        if self._rivals and self.training.done < self.training.problem.options.epochs:
            self.stopped = self._rivals.is_hopeless(self.records)
