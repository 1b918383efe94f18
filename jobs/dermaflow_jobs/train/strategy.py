"""How many devices and nodes train together, from where this worker stands."""

from __future__ import annotations

import json
import os

import tensorflow as tf

from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.train.memory import keep_freed_memory


def make_strategy(placement: Placement) -> tf.distribute.Strategy:
    """Several workers: over all of them, each with all its GPUs. One worker: all its GPUs, or its CPU.

    For several workers this must be the first thing TensorFlow does in the process.
    """
    keep_freed_memory()
    if placement.workers > 1:
        task = {"type": "worker", "index": placement.rank}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": list(placement.addresses)}, "task": task})
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()
