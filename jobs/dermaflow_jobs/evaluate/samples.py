"""Images to look at: for every class one that was recognised and the one that was mistaken most surely."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from dermaflow_jobs.evaluate.predictions import BATCH, Predictions
from dermaflow_jobs.train.records import decode_with_names


@dataclass(frozen=True)
class Sample:
    image_id: str
    label: int
    predicted: int
    probabilities: np.ndarray
    pixels: np.ndarray
    """uint8 (size, size, 3)"""
    details: np.ndarray
    """As `models.details.encode` gives them."""


def choose(predictions: Predictions) -> list[int]:
    """Rows: for each class the surest right answer, then the surest wrong one, where there are such."""
    predicted = predictions.predicted
    confidence = np.take_along_axis(predictions.probabilities, predicted[:, None], axis=1)[:, 0]
    rows = []
    for label in np.unique(predictions.labels):
        for chosen in (predicted == label, predicted != label):
            members = np.flatnonzero((predictions.labels == label) & chosen)
            if len(members):
                rows.append(int(members[confidence[members].argmax()]))
    return rows


def fetch(predictions: Predictions, rows: list[int], paths: Iterable[str], image_size: int) -> list[Sample]:
    """The chosen rows' pixels, shard by shard, no further than the last of them; in the order of `rows`."""
    wanted = {predictions.keys[row]: row for row in rows}
    found: dict[int, Sample] = {}
    for path in paths:
        records = tf.data.TFRecordDataset(path).batch(BATCH)
        for batch in records.map(lambda some: decode_with_names(some, image_size)):
            for place, key in enumerate(batch["key"].numpy()):
                row = wanted.get(key.decode())
                if row is not None:
                    found[row] = _sample(predictions, row, batch["image"][place], batch["details"][place])
        if len(found) == len(wanted):
            break
    return [found[row] for row in rows if row in found]


def _sample(predictions: Predictions, row: int, pixels: tf.Tensor, details: tf.Tensor) -> Sample:
    return Sample(
        image_id=str(predictions.image_ids[row]),
        label=int(predictions.labels[row]),
        predicted=int(predictions.predicted[row]),
        probabilities=predictions.probabilities[row],
        pixels=pixels.numpy(),
        details=details.numpy(),
    )
