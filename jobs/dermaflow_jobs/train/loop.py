"""The training loop: one for a CPU, several GPUs and several nodes. Keras's `fit` fails on several nodes.

It knows neither S3 nor Spark: samples come from local files, and what happens between epochs is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dermaflow_jobs.models.registry import ARCHITECTURES, build_logits
from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.train.averages import MovingAverage
from dermaflow_jobs.train.background import in_background
from dermaflow_jobs.train.batch_norm import for_training
from dermaflow_jobs.train.problem import Problem
from dermaflow_jobs.train.recipe import cross_entropy, make_optimizer
from dermaflow_jobs.train.samples import Share, training_batches
from dermaflow_jobs.train.strategy import make_strategy

LOOK_EVERY = 10
"""Steps in one call, then a look at the loss: each look waits for the device, and for the other workers."""

OnStep = Callable[[int, int, float], None]
"""Called with the epoch (from 1), samples done in all, and the mean loss of the epoch so far."""


class DivergedError(JobError):
    """The loss is no longer a number."""


class Training:
    """Model, optimizer and average under a strategy, and how many epochs are behind them."""

    def __init__(self, problem: Problem, placement: Placement, strategy: tf.distribute.Strategy | None = None) -> None:
        """For several workers making the strategy is the first thing that TensorFlow does in the process."""
        self.problem, self.placement, self.strategy = problem, placement, strategy or make_strategy(placement)
        self.done = 0
        keras.utils.set_random_seed(problem.options.seed)
        with self.strategy.scope():
            network = build_logits(problem.design, mixed_precision=problem.options.mixed_precision)
            self.model = for_training(network, replicas=self.strategy.num_replicas_in_sync)
            self.optimizer = make_optimizer(problem.options, self.model, problem.total_steps)
        self.average = MovingAverage(self.model, problem.options.ema)
        self._plain = build_logits(problem.design)
        self._steps = tf.function(self._several_steps)

    def run_epoch(self, batches: Any, on_step: OnStep) -> float:
        """Mean loss over the epoch. Raises DivergedError on a loss that is not a finite number."""
        steps = self.problem.steps_per_epoch
        before, own, loss = self.done * steps, tf.constant(0.0), 0.0
        for first in range(0, steps, LOOK_EVERY):
            step = min(first + LOOK_EVERY, steps)
            own += self._steps(batches, tf.constant(before + first), tf.constant(before + step))
            loss = self._finite(float(self._over_workers(own)) / step, step)
            on_step(self.done + 1, (before + step) * self.problem.options.batch_size, loss)
        self.done += 1
        return loss

    def batches(self) -> Any:
        """This worker's iterator over the sample sequence, from where the training stands."""
        return in_background(lambda: iter(self.strategy.distribute_datasets_from_function(self._pipeline)))

    def averaged_model(self) -> keras.Model:
        """The averaged weights, in a plain model bound to no strategy: always the same object. For the chief."""
        for target, average in zip(self._plain.trainable_variables, self.average.variables, strict=True):
            target.assign(average)
        pairs = zip(self._plain.non_trainable_variables, self.model.non_trainable_variables, strict=True)
        for target, source in pairs:
            target.assign(source.numpy())
        return self._plain

    def from_chief(self, value: int) -> int:
        """What the chief passes in, to every worker; all must call it at the same point."""
        return round(float(self._over_workers(tf.constant(float(value) if self.placement.is_chief else 0.0))))

    def _over_workers(self, own: tf.Tensor) -> tf.Tensor:
        """The sum of what each worker passes in; all must call it at the same point, and each waits for the others."""
        part = own * self.placement.workers / self.strategy.num_replicas_in_sync
        each = self.strategy.run(lambda: tf.identity(part))
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, each, axis=None)

    def _finite(self, loss: float, step: int) -> float:
        if np.isfinite(loss):
            return loss
        raise DivergedError(
            f"loss is {loss} in epoch {self.done + 1}, by step {step} of {self.problem.steps_per_epoch}",
            remedy=f"Lower learning_rate (now {self.problem.options.learning_rate:g}).",
        )

    def _pipeline(self, context: tf.distribute.InputContext) -> tf.data.Dataset:
        options = self.problem.options
        return training_batches(
            self.problem.train,
            image_size=self.problem.image_size,
            seed=options.seed,
            global_batch=options.batch_size,
            first_sample=self.done * self.problem.samples_per_epoch,
            share=Share(context.input_pipeline_id, context.num_input_pipelines),
            replicas=context.num_replicas_in_sync // context.num_input_pipelines,
            ranges=ARCHITECTURES[options.model].augmentation if options.augment else None,
            details=options.use_age_sex,
        )

    def _several_steps(self, batches: Any, first: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
        """One call from Python for all: a call for each cost a small network a tenth of its speed."""
        own = tf.constant(0.0)
        for step in tf.range(first, end):
            own += self._distributed_step(*next(batches))
            if self.placement.is_chief:
                self.average.update(step)
        return own

    def _distributed_step(self, inputs: Any, labels: Any) -> tf.Tensor:
        """This worker's part of the loss: to learn the others' would be one more wait for them."""
        losses = self.strategy.run(self._replica_step, args=(inputs, labels))
        return tf.add_n(self.strategy.experimental_local_results(losses))

    def _replica_step(self, inputs: Any, labels: tf.Tensor) -> tf.Tensor:
        options = self.problem.options
        with tf.GradientTape() as tape:
            logits = self.model(inputs, training=True)
            loss = cross_entropy(labels, logits, smoothing=options.label_smoothing, of=options.batch_size)
        self.optimizer.apply(tape.gradient(loss, self.model.trainable_variables))
        return loss
