"""The training loop: one for a CPU, several GPUs and several nodes. Keras's `fit` fails on several nodes.

It knows neither S3 nor Spark: batches come in, and every epoch is handed out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dermaflow_jobs.contract.metrics import Epoch
from dermaflow_jobs.contract.options import TrainOptions
from dermaflow_jobs.evaluate.scores import score
from dermaflow_jobs.models.augment import augment
from dermaflow_jobs.models.registry import build_logits
from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.train.averages import MovingAverage
from dermaflow_jobs.train.recipe import cross_entropy, make_optimizer
from dermaflow_jobs.train.samples import Share, plain_batches, training_batches
from dermaflow_jobs.train.shards import ClassFiles

LOOK_EVERY = 10
"""Steps between looks at the loss: each waits for the device."""


class DivergedError(JobError):
    """The loss is no longer a number."""


@dataclass(frozen=True)
class Problem:
    """All that a training is a function of."""

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


OnStep = Callable[[int, int, float], None]
"""Called with epoch (from 1), samples done in all, mean loss of the epoch so far."""


@dataclass
class Training:
    """Model, optimizer and average under a strategy, and how far they are."""

    problem: Problem
    strategy: tf.distribute.Strategy
    is_chief: bool = True
    epochs: list[Epoch] = field(default_factory=list)

    def __post_init__(self) -> None:
        options, classes = self.problem.options, len(self.problem.classes)
        keras.utils.set_random_seed(options.seed)
        with self.strategy.scope():
            self.model = build_logits(
                options.model,
                image_size=self.problem.image_size,
                classes=classes,
                synchronized=self.strategy.num_replicas_in_sync > 1,
            )
            self.optimizer = make_optimizer(options, self.model, self.problem.steps_per_epoch * options.epochs)
        self.averaged = build_logits(options.model, image_size=self.problem.image_size, classes=classes)
        self.average = MovingAverage(self.model, options.ema)
        self._step = tf.function(self._distributed_step)

    def run_epoch(self, batches: Any, on_step: OnStep) -> float:
        """Mean loss over the epoch. Raises DivergedError on a loss that is not a finite number."""
        done, steps = len(self.epochs), self.problem.steps_per_epoch
        total, seen = tf.constant(0.0), 0
        for seen in range(1, steps + 1):
            total += self._step(*next(batches))
            if self.is_chief:
                self.average.update(done * steps + seen)
            if seen % LOOK_EVERY == 0 or seen == steps:
                loss = float(total) / seen
                if not np.isfinite(loss):
                    raise DivergedError(
                        f"loss is {loss} in epoch {done + 1}, by step {seen} of {steps}",
                        remedy=f"Lower learning_rate (now {self.problem.options.learning_rate:g}).",
                    )
                on_step(done + 1, (done * steps + seen) * self.problem.options.batch_size, loss)
        return float(total) / steps

    def batches(self) -> Any:
        """This worker's iterator over the sample sequence, from where the training stands."""
        options = self.problem.options

        def pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
            return training_batches(
                self.problem.train,
                image_size=self.problem.image_size,
                seed=options.seed,
                global_batch=options.batch_size,
                first_sample=len(self.epochs) * self.problem.samples_per_epoch,
                share=Share(context.input_pipeline_id, context.num_input_pipelines),
                replicas=context.num_replicas_in_sync // context.num_input_pipelines,
            )

        return iter(self.strategy.distribute_datasets_from_function(pipeline))

    def settle(self) -> keras.Model:
        """The averaged weights in a plain model that is bound to no strategy."""
        for target, average in zip(self.averaged.trainable_variables, self.average.variables, strict=True):
            target.assign(average)
        pairs = zip(self.averaged.non_trainable_variables, self.model.non_trainable_variables, strict=True)
        for target, source in pairs:
            target.assign(source.numpy())
        return self.averaged

    def _distributed_step(self, images: Any, labels: Any, draws: Any) -> tf.Tensor:
        losses = self.strategy.run(self._replica_step, args=(images, labels, draws))
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

    def _replica_step(self, images: tf.Tensor, labels: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        options = self.problem.options
        pixels = tf.cast(images, tf.float32)
        if options.augment:
            pixels = augment(pixels, draws)
        with tf.GradientTape() as tape:
            logits = self.model(pixels, training=True)
            loss = cross_entropy(labels, logits, smoothing=options.label_smoothing, of=options.batch_size)
        self.optimizer.apply(tape.gradient(loss, self.model.trainable_variables))
        return loss


def validate(model: keras.Model, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Logits (images, classes) and labels (images,) of the validation split."""
    forward = tf.function(lambda images: model(tf.cast(images, tf.float32), training=False), reduce_retracing=True)
    logits, labels = [], []
    for images, label in plain_batches(problem.valid, image_size=problem.image_size, batch=64):
        logits.append(forward(images).numpy())
        labels.append(label.numpy())
    return np.concatenate(logits), np.concatenate(labels)


def finish_epoch(training: Training, loss: float, began: float) -> Epoch:
    """Score the averaged weights on the validation split, and count the epoch as done. The chief's work."""
    logits, labels = validate(training.settle(), training.problem)
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    scores = score(labels, probabilities, training.problem.classes)
    chosen = np.take_along_axis(probabilities, labels[:, None], axis=1)
    epoch = Epoch(
        epoch=len(training.epochs) + 1,
        loss=loss,
        valid_loss=float(-np.log(np.clip(chosen, 1e-7, 1)).mean()),
        valid_accuracy=scores.accuracy,
        mean_auc=scores.mean_auc,
        seconds=round(time.monotonic() - began, 3),
    )
    training.epochs.append(epoch)
    return epoch
