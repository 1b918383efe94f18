"""All that a training is a function of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dermaflow_jobs.contract.options import TrainOptions
from dermaflow_jobs.train.shards import ClassFiles


@dataclass(frozen=True)
class Problem:
    options: TrainOptions
    classes: tuple[str, ...]
    image_size: int
    train: Sequence[ClassFiles]
    valid: Sequence[ClassFiles]

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches, so an epoch draws samples_per_class images a class or up to a batch more in all."""
        return -(-self.options.samples_per_class * len(self.classes) // self.options.batch_size)

    @property
    def samples_per_epoch(self) -> int:
        return self.steps_per_epoch * self.options.batch_size

    @property
    def total_steps(self) -> int:
        return self.steps_per_epoch * self.options.epochs
