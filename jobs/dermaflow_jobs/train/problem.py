"""All that a training is a function of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dermaflow_jobs.contract.options import TrainOptions
from dermaflow_jobs.models.registry import Design
from dermaflow_jobs.train.shards import ClassFiles


@dataclass(frozen=True)
class Problem:
    options: TrainOptions
    classes: tuple[str, ...]
    image_size: int
    train: Sequence[ClassFiles]
    valid: Sequence[ClassFiles]
    backbone_weights: Path | None = None

    @property
    def design(self) -> Design:
        options = self.options
        return Design(
            options.model,
            self.image_size,
            len(self.classes),
            weights=self.backbone_weights,
            frozen_share=options.frozen_share,
            use_age_sex=options.use_age_sex,
        )

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
