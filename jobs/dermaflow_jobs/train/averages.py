"""An exponential moving average of the weights, which generalises better than the last weights do."""

from __future__ import annotations

import keras
import tensorflow as tf


class MovingAverage:
    """Of the trainable variables, from the first step on: decay grows as (1 + t) / (10 + t) up to `decay`.

    Kept on the chief alone, beside the strategy: replicas' weights are equal, so one of them is enough.
    """

    def __init__(self, model: keras.Model, decay: float) -> None:
        self._sources = [variable.value for variable in model.trainable_variables]
        self.variables = [tf.Variable(source.numpy(), trainable=False) for source in self._sources]
        self._decay = decay

    def update(self, before: tf.Tensor) -> None:
        """After the step that `before` others came before."""
        done = tf.cast(before + 1, tf.float32)
        decay = tf.minimum(self._decay, (1 + done) / (10 + done))
        for average, source in zip(self.variables, self._sources, strict=True):
            average.assign(decay * average + (1 - decay) * tf.convert_to_tensor(source))
