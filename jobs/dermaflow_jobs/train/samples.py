"""The one sequence of training samples, whoever draws from it.

Sample i of a training is the same image with the same augmentation on one worker or on many, in a first try or after a
resume: everything random is a function of the seed and i. Classes take turns, so every batch is even; within a class
the records come in rounds, each round in an order of its own, so every image is drawn as often as every other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import tensorflow as tf

from dermaflow_jobs.models.augment import DRAWS, AugmentRanges, augment
from dermaflow_jobs.models.details import hide
from dermaflow_jobs.models.registry import with_details
from dermaflow_jobs.train.held import Held, hold
from dermaflow_jobs.train.records import decode
from dermaflow_jobs.train.shards import ClassFiles

SHUFFLE_BYTES = 64 * 2**20
"""Of a class, in memory: all its pixels where they are no more; else records that wait for their turn, which bounds how
far apart neighbours on disk can get."""

GROUP_PIXELS = 50_000
"""Augmented at a time: 600 kB of floats, for what one compiled loop hands to the next is to stay in a core's cache.
Whole batches left training on two cores at .91 of its bound, groups at .94 to .96: one run, wide intervals."""


@dataclass(frozen=True)
class Share:
    """The part of every global batch that is one input pipeline's."""

    index: int
    of: int


def training_batches(
    classes: Sequence[ClassFiles],
    *,
    image_size: int,
    seed: int,
    global_batch: int,
    first_sample: int,
    share: Share,
    replicas: int = 1,
    ranges: AugmentRanges | None = None,
    details: bool = False,
) -> tf.data.Dataset:
    """Endless batches of (images float32 in 0…255, one-hot labels) for each of `replicas` devices.

    `global_batch` must be a multiple of all replicas of all shares, `first_sample` one of `global_batch`. Without
    `ranges` images are not augmented. With `details` what is beside the images comes with them.
    """
    part = global_batch // share.of
    own = slice(share.index * part, (share.index + 1) * part)
    vary = _vary(ranges)
    held = hold(classes, image_size, details=details, most_bytes=SHUFFLE_BYTES)
    read = held.take if held else partial(_decode, image_size=image_size, details=details)

    def prepare(number: tf.Tensor, drawn: tf.Tensor) -> tuple[Any, tf.Tensor]:
        images, chosen, beside, labels = read(tf.ensure_shape(drawn, [global_batch])[own])
        draws = tf.random.stateless_uniform([global_batch, DRAWS], seed=tf.stack([tf.constant(seed, tf.int64), number]))
        varied = vary(images, draws[own], chosen)
        shown = hide(beside, draws[own][:, -1]) if details else None
        return with_details(varied, shown), tf.one_hot(labels, len(classes))

    drawn = _drawn(classes, held, seed, first_sample).batch(global_batch, drop_remainder=True)
    numbered = drawn.enumerate(first_sample // global_batch)
    batches = numbered.map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    each = batches if replicas == 1 else batches.rebatch(part // replicas)
    # Said aloud, so that several workers need not ask each other before every step whether all have a batch.
    endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    return each.prefetch(4).apply(endless).with_options(_own_threads())


def _own_threads() -> tf.data.Options:
    """As many as there are cores, and none that the training step computes with: `background` lowers their priority."""
    options = tf.data.Options()
    options.threading.private_threadpool_size = 0
    return options


def _decode(records: tf.Tensor, *, image_size: int, details: bool) -> tuple[tf.Tensor, tf.Tensor, Any, tf.Tensor]:
    """As `Held.take`: here all images are shown."""
    images, beside, labels = decode(records, image_size, details=details)
    count = records.shape[0]
    return tf.ensure_shape(images, [count, None, None, None]), tf.range(count), beside, labels


def _vary(ranges: AugmentRanges | None) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
    if ranges is None:
        return lambda images, _, chosen: tf.cast(tf.gather(images, chosen), tf.float32)

    def in_groups(images: tf.Tensor, draws: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
        count, size = chosen.shape[0], images.shape[1]
        at_a_time = _divisor(count, GROUP_PIXELS // size**2)
        groups = tf.reshape(draws, (-1, at_a_time, DRAWS)), tf.reshape(chosen, (-1, at_a_time))
        varied = tf.map_fn(
            lambda group: augment(images, group[0], ranges, group[1]), groups, fn_output_signature=tf.float32
        )
        return tf.reshape(varied, (count, size, size, 3))

    compiled: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor] = tf.function(in_groups, jit_compile=True)
    return compiled


def _divisor(count: int, most: int) -> int:
    """The largest of `count` up to `most`, and 1 at least."""
    return next((size for size in range(min(count, most), 1, -1) if count % size == 0), 1)


def _drawn(classes: Sequence[ClassFiles], held: Held | None, seed: int, first_sample: int) -> tf.data.Dataset:
    """Records one by one, or, of those that are held, their numbers: in the same order."""
    count = len(classes)
    shards: list[_Shards] = (
        [
            _Shards(tf.constant(spans, tf.int64), lambda span: tf.data.Dataset.range(span[0], span[1]))
            for spans in held.spans
        ]
        if held
        else [_Shards(tf.constant(files.paths), tf.data.TFRecordDataset) for files in classes]
    )
    streams = [
        _class_stream(files, own, seed=seed * 1009 + index, start=(first_sample - index + count - 1) // count)
        for index, (files, own) in enumerate(zip(classes, shards, strict=True))
    ]
    turns = tf.data.Dataset.range(count).repeat().skip(first_sample % count)
    return tf.data.Dataset.choose_from_datasets(streams, turns)


@dataclass(frozen=True)
class _Shards:
    """Of a class, and what makes a dataset of each."""

    each: tf.Tensor
    read: Callable[[tf.Tensor], tf.data.Dataset]


def _class_stream(files: ClassFiles, shards: _Shards, *, seed: int, start: int) -> tf.data.Dataset:
    """Round after round of the class's records, from its `start`-th draw on."""
    first_round, drawn = divmod(start, files.records)
    average = max(1, files.bytes // files.records)
    waiting = min(files.records, max(64, SHUFFLE_BYTES // average))

    def one_round(number: tf.Tensor) -> tf.data.Dataset:
        own = seed + number * 7919
        each = tf.data.Dataset.from_tensor_slices(shards.each).shuffle(len(shards.each), seed=own)
        return each.flat_map(shards.read).shuffle(waiting, seed=own)

    return tf.data.Dataset.range(first_round, tf.int64.max).flat_map(one_round).skip(drawn)


def plain_batches(
    classes: Sequence[ClassFiles], *, image_size: int, batch: int, details: bool = False
) -> tf.data.Dataset:
    """Every record once, in the order of the shards: (images float32 in 0…255, labels int64)."""

    def prepare(records: tf.Tensor) -> tuple[Any, tf.Tensor]:
        images, beside, labels = decode(records, image_size, details=details)
        return with_details(tf.cast(images, tf.float32), beside), labels

    paths = [path for files in classes for path in files.paths]
    records = tf.data.TFRecordDataset(paths).batch(batch)
    return records.map(prepare, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)
