"""One measurement of `gpu_speed`, in a process of its own: a GPU's error ends the process that met it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
import numpy as np
from jax import numpy as jnp

from dermaflow_jobs.contract.options import TrainOptions
from dermaflow_jobs.measure.jax_training import Table, first_state, make_epoch, sequence
from dermaflow_jobs.models.details import unknown
from dermaflow_jobs.models.registry import Design, build_logits
from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.train.recipe import make_optimizer

CLASSES = 3
HELD = 1024
"""Images on the device, of random pixels."""
CALLS = 20
"""Of a product or a copy, one behind another."""


@dataclass(frozen=True)
class Task:
    method: str
    precision: str
    model: str
    image_size: int
    batch_size: int
    steps: int
    """Of a timed epoch, after a first one that is not."""
    epochs: int
    """Timed; their median counts."""


def main() -> None:
    task = Task(**json.loads(sys.argv[1]))
    sys.stdout.write(json.dumps(METHODS[task.method](task)) + "\n")


def measure_device(task: Task) -> dict[str, Any]:
    """What this device does: operations of a large product and bytes, read and written, of a large copy, a second.

    Raises JobError where there is no GPU.
    """
    device, side = jax.devices()[0], 8192
    if device.platform != "gpu":
        raise JobError(f"JAX sees no GPU, but {device}", remedy="Install JAX for the GPU into jobs/.venv: jax[cuda13].")
    a, b = (jax.random.normal(jax.random.key(seed), (side, side), task.precision) for seed in (0, 1))
    block = jnp.ones((side, side), jnp.float32)
    return {
        "device": device.device_kind,
        "operations": 2 * side**3 / _seconds_of(jax.jit(jnp.matmul), a, b),
        "bytes": 2 * block.nbytes / _seconds_of(jax.jit(lambda values: values + 1), block),
    }


def measure_bound(task: Task) -> dict[str, float]:
    return _measure_ours(task, augment=False)


def measure_ours(task: Task) -> dict[str, float]:
    return _measure_ours(task, augment=True)


def _measure_ours(task: Task, *, augment: bool) -> dict[str, float]:
    """Images a second, and a step's operations and bytes as XLA counts them: a loop's body once, so an epoch's."""
    network, optimizer, options = _learner(task, augment=augment)
    state, table = first_state(network, optimizer), _table(task)
    drawn = [_drawn(task, number) for number in range(task.epochs + 1)]
    epoch = make_epoch(network, optimizer, options).lower(state, table, drawn[0], jax.random.key(0)).compile()
    seconds = []
    for number, order in enumerate(drawn):
        began = time.perf_counter()
        state, losses = epoch(state, table, order, jax.random.key(number))
        losses.block_until_ready()
        seconds.append(time.perf_counter() - began)
    costs = epoch.cost_analysis()
    speed = task.steps * task.batch_size / median(seconds[1:])
    return {"images_per_second": speed, "operations": costs["flops"], "bytes": costs["bytes accessed"]}


def measure_fit(task: Task) -> dict[str, float]:
    """Keras's `fit` on uint8 arrays in the host's memory, without augmentation."""
    network, optimizer, _ = _learner(task, augment=False)
    table = _table(task)
    network.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True))
    count = min(HELD, task.steps * task.batch_size) // task.batch_size * task.batch_size
    images, labels = np.asarray(table.images[:count]), np.asarray(table.labels[:count])
    seconds = []
    for _ in range(task.epochs + 1):
        began = time.perf_counter()
        network.fit(images, labels, batch_size=task.batch_size, verbose=0)
        seconds.append(time.perf_counter() - began)
    return {"images_per_second": count / median(seconds[1:])}


def _learner(task: Task, *, augment: bool) -> tuple[keras.Model, keras.optimizers.Optimizer, TrainOptions]:
    mixed = task.precision == "bfloat16"
    given = {"model": task.model, "batch_size": task.batch_size, "augment": augment, "mixed_precision": mixed}
    options = TrainOptions.model_validate(given)
    network = build_logits(Design(task.model, task.image_size, CLASSES), mixed_precision=mixed)
    return network, make_optimizer(options, network, task.steps * (task.epochs + 1)), options


def _table(task: Task) -> Table:
    pixels = np.random.default_rng(0).integers(0, 256, (HELD, task.image_size, task.image_size, 3), np.uint8)
    labels = np.eye(CLASSES, dtype=np.float32)[np.arange(HELD) % CLASSES]
    return Table(jnp.asarray(pixels), jnp.asarray(unknown(HELD)), jnp.asarray(labels))


def _drawn(task: Task, number: int) -> jax.Array:
    labels, rows = np.arange(HELD) % CLASSES, np.arange(HELD)
    order = sequence(labels, rows, steps=task.steps, batch=task.batch_size, seed=number)
    return jnp.asarray(order, jnp.int32)


def _seconds_of(call: Callable[..., jax.Array], *given: jax.Array) -> float:
    call(*given).block_until_ready()
    each = []
    for _ in range(3):
        began = time.perf_counter()
        for _ in range(CALLS):
            last = call(*given)
        last.block_until_ready()
        each.append((time.perf_counter() - began) / CALLS)
    return median(each)


METHODS = {"device": measure_device, "bound": measure_bound, "ours": measure_ours, "fit": measure_fit}

if __name__ == "__main__":
    main()
