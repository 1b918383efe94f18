"""Shards of noise on local disk, of the size and kind that preprocess writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from dermaflow_jobs.train.shards import ClassFiles


def write_noise(folder: Path, *, classes: int, images: int, size: int) -> tuple[ClassFiles, ...]:
    """`images` records a class, in one shard each."""
    rng = np.random.default_rng(0)
    files = []
    for label in range(classes):
        path = folder / f"{label}.tfrecord"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for _ in range(images):
                writer.write(_record(rng.integers(0, 256, (size, size, 3), np.uint8), label))
        files.append(ClassFiles(f"class{label}", (str(path),), images, path.stat().st_size))
    return tuple(files)


def _record(image: np.ndarray, label: int) -> bytes:
    def of(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    features = {
        "image": of(image.tobytes()),
        "encoding": of(b"rgb8"),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    example: bytes = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
    return example
