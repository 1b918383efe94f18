"""Reading what preprocess wrote: one `tf.train.Example` an image."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

FEATURES = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "encoding": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
}
NAMES = {
    "image_id": tf.io.FixedLenFeature([], tf.string),
    "key": tf.io.FixedLenFeature([], tf.string),
    "group": tf.io.FixedLenFeature([], tf.string, ""),
    "age": tf.io.FixedLenFeature([], tf.float32, float("nan")),
    "sex": tf.io.FixedLenFeature([], tf.string, ""),
}


def decode(record: tf.Tensor, image_size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """A serialized record to (uint8 RGB (size, size, 3), int64 label)."""
    fields = tf.io.parse_single_example(record, FEATURES)
    return _pixels(fields, image_size), fields["label"]


def decode_with_names(record: tf.Tensor, image_size: int) -> dict[str, tf.Tensor]:
    """As `decode`, with what identifies the image and, where known, its group and the patient's age and sex."""
    fields: dict[str, Any] = tf.io.parse_single_example(record, {**FEATURES, **NAMES})
    fields["image"] = _pixels(fields, image_size)
    del fields["encoding"]
    return fields


def _pixels(fields: dict[str, tf.Tensor], image_size: int) -> tf.Tensor:
    shape = (image_size, image_size, 3)
    pixels = tf.cond(
        fields["encoding"] == b"rgb8",
        lambda: tf.reshape(tf.io.decode_raw(fields["image"], tf.uint8), shape),
        lambda: tf.io.decode_jpeg(fields["image"], channels=3, dct_method="INTEGER_ACCURATE"),
    )
    return tf.ensure_shape(pixels, shape)
