"""A small split, decoded once and held in memory: reading a sample anew costs a third as much as augmenting it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from dermaflow_jobs.train.records import decode
from dermaflow_jobs.train.shards import ClassFiles

CHUNK = 256
"""Records decoded at a time."""

Span = tuple[int, int]
"""Numbers of a shard's first record, and of the one behind its last."""


@dataclass(frozen=True)
class Held:
    """Every record of a split, by number."""

    images: tf.Tensor
    beside: dict[str, tf.Tensor]
    """Labels and, where asked for, details."""
    spans: tuple[tuple[Span, ...], ...]
    """Of each class's shards, in the order of its paths."""

    def take(self, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, Any, tf.Tensor]:
        """All images, which of them those records' are, and the records' details and labels."""
        taken = {name: tf.gather(column, numbers) for name, column in self.beside.items()}
        return self.images, numbers, taken.get("details"), taken["label"]


def hold(classes: Sequence[ClassFiles], image_size: int, *, details: bool, most_bytes: int) -> Held | None:
    """None where the pixels of any class are more than `most_bytes`."""
    if max(files.records for files in classes) * image_size**2 * 3 > most_bytes:
        return None
    parts: list[dict[str, tf.Tensor]] = []
    spans: list[tuple[Span, ...]] = []
    begin = 0
    with tf.device("CPU"):  # where tf.data runs, whatever else there is
        for files in classes:
            own: list[Span] = []
            for path in files.paths:
                found = list(_columns(path, image_size, details=details))
                parts += found
                own.append((begin, begin + sum(len(part["label"]) for part in found)))
                begin = own[-1][1]
            spans.append(tuple(own))
        columns = {name: tf.concat([part[name] for part in parts], axis=0) for name in parts[0]}
    return Held(columns.pop("image"), columns, tuple(spans))


def _columns(path: str, image_size: int, *, details: bool) -> Iterable[dict[str, tf.Tensor]]:
    for records in tf.data.TFRecordDataset(path).batch(CHUNK):
        image, beside, label = decode(records, image_size, details=details)
        yield {"image": image, "label": label} | ({"details": beside} if details else {})
