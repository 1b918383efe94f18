"""Loss, schedule and optimizer, in pure Keras 3."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from dermaflow_jobs.contract.options import TrainOptions

WARM_UP = 0.25
"""Share of all steps in which the learning rate rises."""


@keras.saving.register_keras_serializable("dermaflow")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Half a cosine up from peak/25 and half a cosine down to peak/10,000 (Smith & Topin 2018, as in PyTorch)."""

    def __init__(self, peak: float, steps: int) -> None:
        super().__init__()
        self.peak, self.steps = peak, steps

    def __call__(self, step: Any) -> Any:
        at = ops.cast(step, "float32") / max(1, self.steps)
        rise = ops.clip(at / WARM_UP, 0.0, 1.0)
        fall = ops.clip((at - WARM_UP) / (1 - WARM_UP), 0.0, 1.0)
        up = _cosine(self.peak / 25, self.peak, rise)
        return ops.where(at < WARM_UP, up, _cosine(self.peak, self.peak / 10_000, fall))

    def get_config(self) -> dict[str, float]:
        return {"peak": self.peak, "steps": self.steps}


def _cosine(start: float, end: float, at: Any) -> Any:
    return end + (start - end) * 0.5 * (1 + ops.cos(math.pi * at))


def make_optimizer(options: TrainOptions, model: keras.Model, total_steps: int) -> keras.optimizers.Optimizer:
    """AdamW, built on the model's variables; biases and normalisation do not decay."""
    optimizer = keras.optimizers.AdamW(OneCycle(options.learning_rate, total_steps), weight_decay=options.weight_decay)
    vectors = [variable for variable in model.trainable_variables if len(variable.shape) < 2]
    if vectors:
        optimizer.exclude_from_weight_decay(var_list=vectors)
    optimizer.build(model.trainable_variables)
    return optimizer


def cross_entropy(labels: Any, logits: Any, *, smoothing: float, of: int) -> Any:
    """Sum over these images divided by `of`, the images of the global batch; so replicas' losses add up."""
    each = keras.losses.categorical_crossentropy(labels, logits, from_logits=True, label_smoothing=smoothing)
    return ops.sum(each) / of
