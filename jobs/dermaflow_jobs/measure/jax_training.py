"""The recipe on Keras's JAX backend: one device, the images held on it, an epoch as one compiled program.

For GPUs where TensorFlow does not run. Network, augmentation, loss, schedule and optimizer are those of the training
loop; needs neither TensorFlow nor the rest of the jobs. A sample is drawn as often as there, not in the same order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import keras
import numpy as np
from jax import numpy as jnp
from keras import ops

from dermaflow_jobs.contract.options import TrainOptions
from dermaflow_jobs.models.augment import DRAWS, augment
from dermaflow_jobs.models.details import hide
from dermaflow_jobs.models.registry import ARCHITECTURES, with_details
from dermaflow_jobs.train.recipe import cross_entropy

Arrays = list[jax.Array]


class Table(NamedTuple):
    """Every image of a dataset, on the device."""

    images: jax.Array
    """uint8 (images, size, size, 3)"""
    details: jax.Array
    """As `models.details.encode` gives them; of use to networks that take them."""
    labels: jax.Array
    """One-hot (images, classes)"""


class State(NamedTuple):
    """All that a step changes; each list is of the variables' values in Keras's order."""

    trainable: Arrays
    other: Arrays
    optimizer: Arrays
    average: Arrays
    """Of the trainable ones, as `train.averages` takes it."""
    step: jax.Array


def first_state(network: keras.Model, optimizer: keras.optimizers.Optimizer) -> State:
    trainable, other, moments = (
        [jnp.array(variable.value) for variable in variables]
        for variables in (network.trainable_variables, network.non_trainable_variables, optimizer.variables)
    )
    return State(trainable, other, moments, [jnp.array(value) for value in trainable], jnp.zeros((), jnp.int32))


def make_epoch(network: keras.Model, optimizer: keras.optimizers.Optimizer, options: TrainOptions) -> Any:
    """Compiled: (state, table, drawn (steps, batch), key) → (state, loss of each step). The state given is used up."""
    ranges = ARCHITECTURES[options.model].augmentation

    def loss_of(trainable: Arrays, other: Arrays, inputs: jax.Array, labels: jax.Array) -> tuple[jax.Array, Arrays]:
        logits, changed = network.stateless_call(trainable, other, inputs, training=True)
        return cross_entropy(labels, logits, smoothing=options.label_smoothing, of=options.batch_size), changed

    def step(state: State, drawn: jax.Array, table: Table, key: jax.Array) -> tuple[State, jax.Array]:
        draws = jax.random.uniform(jax.random.fold_in(key, state.step), (*drawn.shape, DRAWS))
        images = augment(table.images, draws, ranges, drawn) if options.augment else table.images[drawn]
        shown = hide(table.details[drawn], draws[:, -1]) if options.use_age_sex else None
        inputs = with_details(ops.cast(images, "float32"), shown)
        gradient = jax.value_and_grad(loss_of, has_aux=True)
        (loss, other), slopes = gradient(state.trainable, state.other, inputs, table.labels[drawn])
        trainable, moments = optimizer.stateless_apply(state.optimizer, slopes, state.trainable)
        done = state.step + 1
        decay = jnp.minimum(options.ema, (1.0 + done) / (10.0 + done))
        average = [decay * old + (1 - decay) * new for old, new in zip(state.average, trainable, strict=True)]
        return State(trainable, other, moments, average, done), loss

    def epoch(state: State, table: Table, drawn: jax.Array, key: jax.Array) -> tuple[State, jax.Array]:
        return jax.lax.scan(lambda now, some: step(now, some, table, key), state, drawn)

    return jax.jit(epoch, donate_argnums=0)


def sequence(labels: np.ndarray, rows: np.ndarray, *, steps: int, batch: int, seed: int) -> np.ndarray:
    """(steps, batch) of `rows`: classes take turns, and each gives its images in rounds, every round reordered."""
    classes = np.unique(labels[rows])
    turns = -(-steps * batch // len(classes))
    rng = np.random.default_rng(seed)
    own = [_rounds(rows[labels[rows] == label], turns, rng) for label in classes]
    return np.stack(own, axis=1).reshape(-1)[: steps * batch].reshape(steps, batch)


def _rounds(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    return np.concatenate([rng.permutation(rows) for _ in range(-(-count // len(rows)))])[:count]
