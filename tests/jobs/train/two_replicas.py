"""An epoch on one device and on two of one process, as two GPUs are: prints loss and averaged weights' norm of each.

A process of its own, because the devices must be made before anything else that TensorFlow does.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from dermaflow_jobs.contract.options import TrainOptions
from dermaflow_jobs.measure.drawn_shards import write_noise
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.train.loop import Training
from dermaflow_jobs.train.problem import Problem


def epoch(problem: Problem, strategy: tf.distribute.Strategy) -> tuple[int, float, float]:
    training = Training(problem, Placement(0, ("localhost:1",)), strategy)
    loss = training.run_epoch(training.batches(), lambda *_: None)
    norms = [np.linalg.norm(weight.numpy()) for weight in training.averaged_model().weights]
    return strategy.num_replicas_in_sync, loss, float(sum(norms))


def main(model: str, folder: Path) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    files = write_noise(folder, classes=3, images=12, size=64)
    options = TrainOptions(model=model, batch_size=12, samples_per_class=16, epochs=2)
    problem = Problem(options, ("a", "b", "c"), 64, files, ())
    strategies = tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    print(json.dumps([epoch(problem, strategy) for strategy in strategies]))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as own:
        main(sys.argv[1], Path(own))
