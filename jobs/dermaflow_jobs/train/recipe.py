"""Loss, schedule and optimizer, in pure Keras 3."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from dermaflow_jobs.contract.options import TrainOptions


@keras.saving.register_keras_serializable("dermaflow")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Up over the share `warm_up` of the steps, then half a cosine down to peak/10,000.

    one_cycle: up by half a cosine from peak/25 (Smith & Topin 2018, as in PyTorch); cosine: in a straight line from 0.
    """

    def __init__(self, peak: float, steps: int, warm_up: float, kind: str) -> None:
        super().__init__()
        self.peak, self.steps, self.warm_up, self.kind = peak, steps, warm_up, kind

    def __call__(self, step: Any) -> Any:
        at = ops.cast(step, "float32") / max(1, self.steps)
        rise = ops.clip(at / max(self.warm_up, 1e-9), 0.0, 1.0)
        fall = ops.clip((at - self.warm_up) / (1 - self.warm_up), 0.0, 1.0)
        up = _cosine(self.peak / 25, self.peak, rise) if self.kind == "one_cycle" else self.peak * rise
        return ops.where(at < self.warm_up, up, _cosine(self.peak, self.peak / 10_000, fall))

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak, "steps": self.steps, "warm_up": self.warm_up, "kind": self.kind}


def _cosine(start: float, end: float, at: Any) -> Any:
    return end + (start - end) * 0.5 * (1 + ops.cos(math.pi * at))


def make_optimizer(options: TrainOptions, model: keras.Model, total_steps: int) -> keras.optimizers.Optimizer:
    """AdamW, built on the model's variables; biases and normalisation do not decay."""
    schedule = Schedule(options.learning_rate, total_steps, options.warm_up, options.schedule)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=options.weight_decay)
    vectors = [variable for variable in model.trainable_variables if len(variable.shape) < 2]
    if vectors:
        optimizer.exclude_from_weight_decay(var_list=vectors)
    optimizer.build(model.trainable_variables)
    return optimizer


def cross_entropy(labels: Any, logits: Any, *, smoothing: float, of: int) -> Any:
    """Sum over these images divided by `of`, the images of the global batch; so replicas' losses add up."""
    each = keras.losses.categorical_crossentropy(labels, logits, from_logits=True, label_smoothing=smoothing)
    return ops.sum(each) / of
