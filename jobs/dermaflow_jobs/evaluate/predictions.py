"""What the model says of every image, a row each."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import keras
import numpy as np
import tensorflow as tf

from dermaflow_jobs.train.records import decode_with_names

BATCH = 64


@dataclass(frozen=True)
class Predictions:
    """Columns of equal length."""

    image_ids: tuple[str, ...]
    keys: tuple[str, ...]
    labels: np.ndarray
    """Index into the classes."""
    probabilities: np.ndarray
    """(images, classes)"""

    def __len__(self) -> int:
        return len(self.image_ids)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        return cls(
            image_ids=tuple(name for part in parts for name in part.image_ids),
            keys=tuple(key for part in parts for key in part.keys),
            labels=np.concatenate([part.labels for part in parts]),
            probabilities=np.concatenate([part.probabilities for part in parts]),
        )

    def to_csv(self, classes: Sequence[str]) -> str:
        """Columns image_id, key, label, predicted, then a probability a class."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["image_id", "key", "label", "predicted", *classes])
        for row, (image_id, key) in enumerate(zip(self.image_ids, self.keys, strict=True)):
            p = self.probabilities[row]
            label, predicted = classes[self.labels[row]], classes[p.argmax()]
            writer.writerow([image_id, key, label, predicted, *(f"{value:.6f}" for value in p)])
        return out.getvalue()


def predict_records(model: keras.Model, paths: Sequence[str], image_size: int) -> Predictions:
    """For every record of local TFRecord files, in batches."""
    records = tf.data.TFRecordDataset(list(paths))
    fields = records.map(lambda record: decode_with_names(record, image_size), num_parallel_calls=tf.data.AUTOTUNE)
    image_ids, keys, labels, probabilities = [], [], [], []
    for batch in fields.batch(BATCH).prefetch(2):
        image_ids += [name.decode() for name in batch["image_id"].numpy()]
        keys += [key.decode() for key in batch["key"].numpy()]
        labels.append(batch["label"].numpy())
        probabilities.append(model.predict_on_batch(tf.cast(batch["image"], tf.float32)))
    return Predictions(tuple(image_ids), tuple(keys), np.concatenate(labels), np.concatenate(probabilities))
