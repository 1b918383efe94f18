"""What a trial of a sweep knows of the others, by their histories in S3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from dermaflow_jobs.contract.metrics import Epoch, History
from dermaflow_jobs.contract.options.sweep import LEAST_EPOCHS
from dermaflow_jobs.runtime.s3 import Store

LEAST_RIVALS = 2
"""A median of fewer says little."""


@dataclass(frozen=True)
class Rivals:
    """Asked after every epoch, by the chief alone."""

    store: Store
    run_key: str
    trial: int
    trials: int

    def is_hopeless(self, epochs: Sequence[Epoch]) -> bool:
        """The median rule (Golovin et al. 2017): the best so far lies below the median of the others' by then."""
        if len(epochs) < LEAST_EPOCHS:
            return False
        others = [best_by(history.epochs, len(epochs)) for history in self._histories()]
        return len(others) >= LEAST_RIVALS and best_by(epochs, len(epochs)) < median(others)

    def _histories(self) -> Iterator[History]:
        """Of those that have got as far, or had done so when they were stopped."""
        for other in range(self.trials):
            if other != self.trial:
                history = self.store.find(self.store.layout.trial_history(self.run_key, other), History)
                if history is not None:
                    yield history


def best_by(epochs: Sequence[Epoch], epoch: int) -> float:
    return max((each.mean_auc or 0.0 for each in epochs[:epoch]), default=0.0)
