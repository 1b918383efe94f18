"""One process of `train_speed`: prints the speeds of its timed epochs as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dermaflow_jobs.contract.options import TrainOptions
from dermaflow_jobs.measure.drawn_shards import write_noise
from dermaflow_jobs.models.registry import ARCHITECTURES, Design, build_logits
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.train.loop import Training
from dermaflow_jobs.train.problem import Problem

CLASSES = 3
IMAGES = 300
"""A class."""
SETTLING = 12
"""Steps before each timed epoch: in them the pipeline's buffers, full after a rest, come to what they hold in the long
run, and after it are filled again."""


def main(task: dict[str, Any]) -> None:
    ours = task["method"] in {"ours", "two_workers"}
    speeds = _with_our_loop(task) if ours else {task["method"]: _with_fit(task)}
    sys.stdout.write(json.dumps(speeds) + "\n")


def _with_our_loop(task: dict[str, Any]) -> dict[str, list[float]]:
    folder = Path(task["folder"]) / str(task["rank"])
    folder.mkdir()
    # The strategy comes before anything else that TensorFlow does in a process of several.
    training = Training(_problem(task, SETTLING), Placement(task["rank"], tuple(task["addresses"])))
    files = write_noise(folder, classes=CLASSES, images=IMAGES, size=task["image_size"])
    settling, timed = (replace(_problem(task, steps), train=files) for steps in (SETTLING, task["steps"]))
    training.problem = settling
    sources = {task["method"]: training.batches()}
    if task["method"] == "ours":
        same = tf.data.Dataset.from_tensors(next(sources["ours"])).repeat()
        sources["bound"] = iter(training.strategy.experimental_distribute_dataset(same))
    speeds: dict[str, list[float]] = {method: [] for method in sources}
    for epoch in range(1 + task["epochs"]):
        for method in sorted(sources, reverse=epoch % 2 == 0):
            training.problem = settling
            training.run_epoch(sources[method], lambda *_: None)
            training.problem = timed
            seconds = _seconds(partial(training.run_epoch, sources[method], lambda *_: None))
            if epoch:
                speeds[method].append(timed.samples_per_epoch / seconds)
    return speeds


def _problem(task: dict[str, Any], steps: int) -> Problem:
    """Without files: an epoch of so many steps."""
    options = TrainOptions(
        model=task["model"],
        batch_size=task["batch_size"],
        samples_per_class=steps * task["batch_size"] // CLASSES,
        train_workers=len(task["addresses"]),
    )
    return Problem(options, ("a", "b", "c"), task["image_size"], (), ())


def _with_fit(task: dict[str, Any]) -> list[float]:
    size, batch = task["image_size"], task["batch_size"]
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (CLASSES * IMAGES, size, size, 3), np.uint8)
    labels = keras.utils.to_categorical(np.arange(len(images)) % CLASSES, CLASSES)
    model = build_logits(Design(task["model"], size, CLASSES))
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.05)
    optimizer = keras.optimizers.AdamW(1e-3, use_ema=True)
    model.compile(optimizer=optimizer, loss=loss)
    source = _generator(images, labels, batch) if "generator" in task["method"] else _layers(images, labels, batch)
    passes = max(1, task["steps"] * batch // len(images))
    seconds = [_seconds(partial(model.fit, source, epochs=passes, verbose=0)) for _ in range(1 + task["epochs"])]
    return [passes * len(images) / each for each in seconds[1:]]


def _generator(images: np.ndarray, labels: np.ndarray, batch: int) -> Any:
    """As the 2021 project did: rotation, zoom, flips and brightness, in Python."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(
        rotation_range=180,
        zoom_range=(0.85, 1.05),
        horizontal_flip=True,
        vertical_flip=True,
        fill_mode="reflect",
        channel_shift_range=10,
    )
    return generator.flow(images, labels, batch_size=batch)


def _layers(images: np.ndarray, labels: np.ndarray, batch: int) -> tf.data.Dataset:
    ranges = ARCHITECTURES["small_cnn"].augmentation
    layers = keras.Sequential(
        [
            keras.layers.RandomFlip(),
            keras.layers.RandomRotation(0.5, fill_mode="reflect"),
            keras.layers.RandomZoom((ranges.zoom[0] - 1, ranges.zoom[1] - 1), fill_mode="reflect"),
            keras.layers.RandomBrightness(ranges.brightness),
            keras.layers.RandomContrast(ranges.contrast),
            keras.layers.RandomSaturation((0.46, 0.54), value_range=(0, 255)),
        ]
    )
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(len(images)).batch(batch)
    return batches.map(
        lambda image, label: (layers(tf.cast(image, tf.float32), training=True), label), tf.data.AUTOTUNE
    ).prefetch(4)


def _seconds(epoch: Callable[[], object]) -> float:
    began = time.monotonic()
    epoch()
    return time.monotonic() - began


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
