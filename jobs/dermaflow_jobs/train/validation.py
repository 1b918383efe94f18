"""What an epoch was worth: the averaged weights on the validation split."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from dermaflow_jobs.contract.metrics import Epoch
from dermaflow_jobs.evaluate.scores import score
from dermaflow_jobs.train.problem import Problem
from dermaflow_jobs.train.samples import plain_batches

BATCH = 64


class Validation:
    """Holds the compiled forward pass of one model, whose weights may change between calls."""

    def __init__(self, model: keras.Model, problem: Problem) -> None:
        self._problem = problem
        self._forward = tf.function(lambda inputs: model(inputs, training=False), reduce_retracing=True)

    def logits(self) -> tuple[np.ndarray, np.ndarray]:
        """(images, classes) and labels (images,), in the order of the shards."""
        problem = self._problem
        logits, labels = [], []
        for inputs, label in plain_batches(
            problem.valid, image_size=problem.image_size, batch=BATCH, details=problem.options.use_age_sex
        ):
            logits.append(self._forward(inputs).numpy())
            labels.append(label.numpy())
        return np.concatenate(logits), np.concatenate(labels)

    def epoch(self, number: int, *, loss: float, seconds: float) -> Epoch:
        logits, labels = self.logits()
        probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
        scores = score(labels, probabilities, self._problem.classes)
        chosen = np.take_along_axis(probabilities, labels[:, None], axis=1)
        return Epoch(
            epoch=number,
            loss=loss,
            valid_loss=float(-np.log(np.clip(chosen, 1e-7, 1)).mean()),
            valid_accuracy=scores.accuracy,
            mean_auc=scores.mean_auc,
            seconds=round(seconds, 3),
        )
