"""Reading what preprocess wrote: one `tf.train.Example` an image."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from dermaflow_jobs.models.details import encode

FEATURES = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "encoding": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
}
NAMES = {
    "image_id": tf.io.FixedLenFeature([], tf.string),
    "key": tf.io.FixedLenFeature([], tf.string),
    "group": tf.io.FixedLenFeature([], tf.string, ""),
}
DETAILS = {
    "age": tf.io.FixedLenFeature([], tf.float32, float("nan")),
    "sex": tf.io.FixedLenFeature([], tf.string, ""),
}


def decode(records: tf.Tensor, image_size: int, *, details: bool = False) -> tuple[tf.Tensor, Any, tf.Tensor]:
    """Serialized records (batch,) to uint8 RGB (batch, size, size, 3), details or None, and int64 labels (batch,)."""
    fields = tf.io.parse_example(records, {**FEATURES, **(DETAILS if details else {})})
    return _pixels(fields, image_size), encode_details(fields) if details else None, fields["label"]


def decode_with_names(records: tf.Tensor, image_size: int) -> dict[str, tf.Tensor]:
    """As `decode`, with what identifies the image and, where known, its group and the patient's age and sex."""
    fields: dict[str, Any] = tf.io.parse_example(records, {**FEATURES, **NAMES, **DETAILS})
    fields["image"], fields["details"] = _pixels(fields, image_size), encode_details(fields)
    del fields["encoding"]
    return fields


def encode_details(fields: dict[str, tf.Tensor]) -> tf.Tensor:
    encoded: tf.Tensor = encode(fields["age"], fields["sex"] == b"female", fields["sex"] == b"male")
    return encoded


def _pixels(fields: dict[str, tf.Tensor], image_size: int) -> tf.Tensor:
    """Raw pixels all at once; JPEGs, or a mixture, one by one."""
    shape = (image_size, image_size, 3)
    pixels = tf.cond(
        tf.reduce_all(fields["encoding"] == b"rgb8"),
        lambda: tf.reshape(
            tf.io.decode_raw(fields["image"], tf.uint8, fixed_length=image_size * image_size * 3), (-1, *shape)
        ),
        lambda: tf.map_fn(
            lambda one: _one(one[0], one[1], shape), (fields["image"], fields["encoding"]), fn_output_signature=tf.uint8
        ),
    )
    return tf.ensure_shape(pixels, (None, *shape))


def _one(image: tf.Tensor, encoding: tf.Tensor, shape: tuple[int, int, int]) -> tf.Tensor:
    pixels = tf.cond(
        encoding == b"rgb8",
        lambda: tf.reshape(tf.io.decode_raw(image, tf.uint8), shape),
        lambda: tf.io.decode_jpeg(image, channels=3, dct_method="INTEGER_ACCURATE"),
    )
    return tf.ensure_shape(pixels, shape)
