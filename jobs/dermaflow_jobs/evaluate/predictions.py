"""What the model says of every image, a row each."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import keras
import numpy as np
import tensorflow as tf

from dermaflow_jobs.contract.options.train import Decision
from dermaflow_jobs.models.decision import decide, fit_offsets
from dermaflow_jobs.models.registry import takes_details, with_details
from dermaflow_jobs.train.records import decode_with_names

BATCH = 64


@dataclass(frozen=True)
class Predictions:
    """Columns of equal length."""

    image_ids: np.ndarray
    keys: np.ndarray
    groups: np.ndarray
    """Lesion, patient or near-duplicates; empty where not known."""
    ages: np.ndarray
    """NaN where not known."""
    sexes: np.ndarray
    """Empty where not known."""
    labels: np.ndarray
    """Index into the classes."""
    probabilities: np.ndarray
    """(images, classes)"""
    predicted: np.ndarray
    """Index into the classes, of the one that the model names."""

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        names = cls.__dataclass_fields__
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})

    def subset(self, rows: np.ndarray) -> Self:
        """Those rows: a mask, or positions."""
        return type(self)(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})

    def bootstrap_groups(self) -> np.ndarray:
        """The group, or the image's own key where it has none."""
        return np.where(self.groups == "", np.char.add("image:", self.keys), self.groups)

    def to_csv(self, classes: Sequence[str]) -> str:
        """Columns image_id, key, group, label, predicted, then a probability a class."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["image_id", "key", "group", "label", "predicted", *classes])
        columns = (self.image_ids, self.keys, self.groups, self.labels, self.predicted, self.probabilities)
        for image_id, key, group, label, predicted, p in zip(*columns, strict=True):
            row = [image_id, key, group, classes[label], classes[predicted]]
            writer.writerow([*row, *(f"{value:.6f}" for value in p)])
        return out.getvalue()


def of_folds(parts: Sequence[Predictions], classes: int, decision: Decision) -> Predictions:
    """All folds of a cross-validation; for a balanced decision a fold's offsets are fitted on the others.

    A fold's share of each class is that of all: they are stratified.
    """
    if decision == "likeliest":
        return Predictions.concatenate(parts)
    named = []
    for held_out, part in enumerate(parts):
        others = Predictions.concatenate([*parts[:held_out], *parts[held_out + 1 :]])
        offsets = fit_offsets(others.probabilities, others.labels, np.bincount(others.labels, minlength=classes))
        named.append(replace(part, predicted=decide(part.probabilities, offsets)))
    return Predictions.concatenate(named)


def predict_records(
    model: keras.Model, paths: Sequence[str], image_size: int, offsets: Sequence[float] = ()
) -> Predictions:
    """For every record of local TFRecord files, in batches. `offsets` are those of `models.decision.decide`."""
    records = tf.data.TFRecordDataset(list(paths)).batch(BATCH)
    batches = records.map(lambda some: decode_with_names(some, image_size), num_parallel_calls=tf.data.AUTOTUNE)
    return Predictions.concatenate([_predict(model, batch, offsets) for batch in batches.prefetch(2)])


def _predict(model: keras.Model, batch: dict[str, tf.Tensor], offsets: Sequence[float]) -> Predictions:
    def text(name: str) -> np.ndarray:
        return np.array([value.decode() for value in batch[name].numpy()], dtype=np.str_)

    images, details = tf.cast(batch["image"], tf.float32), batch["details"] if takes_details(model) else None
    inputs = with_details(images, details)
    probabilities = np.asarray(model.predict_on_batch(inputs), np.float64)
    return Predictions(
        image_ids=text("image_id"),
        keys=text("key"),
        groups=text("group"),
        ages=batch["age"].numpy(),
        sexes=text("sex"),
        labels=batch["label"].numpy(),
        probabilities=probabilities,
        predicted=decide(probabilities, offsets),
    )
