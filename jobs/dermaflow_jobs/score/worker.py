"""What an executor does: the model once a process, images decoded by threads, answers and statistics by the batch."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from dermaflow_jobs.contract.dataset import Shard
from dermaflow_jobs.contract.options import PreprocessOptions
from dermaflow_jobs.models.saved import ModelInfo
from dermaflow_jobs.preprocess.decode import Decoded, DecodeOptions, Undecodable, decode
from dermaflow_jobs.preprocess.fetch import read_ahead, read_listed
from dermaflow_jobs.preprocess.reasons import Reason, Rejected
from dermaflow_jobs.preprocess.worker import Source
from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.runtime.s3 import Store
from dermaflow_jobs.score.statistics import all_statistics

if TYPE_CHECKING:
    from dermaflow_jobs.predict.ensemble import Ensemble

BATCH: Final = 64
THREADS: Final = 4
"""Pillow lets go of Python's lock while it decodes; each may hold one large image."""


@dataclass(frozen=True)
class ModelRef:
    """One model file, to the byte. Picklable: every Python worker loads it for itself, once."""

    store: Store
    key: str
    etag: str

    def read(self) -> bytes:
        found = read_listed(self.store, self.key, self.etag)
        if isinstance(found, Reason):
            raise JobError(
                f"{self.store.layout.uri(self.key)} {found.value}: its run was repeated, or somebody took it away",
                remedy="Start the scoring run again; it takes the champion as it is then.",
            )
        return found


@lru_cache(maxsize=1)
def load(model: ModelRef) -> Ensemble:
    from dermaflow_jobs.models.saved import load_model
    from dermaflow_jobs.predict.ensemble import Ensemble

    with tempfile.TemporaryDirectory(prefix="dermaflow-score-") as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(model.read())
        network, info = load_model(path)
    return Ensemble((network,), info)


def decode_options(info: ModelInfo) -> DecodeOptions:
    """As the images were decoded that the model learned from."""
    return DecodeOptions(info.image_size, PreprocessOptions().max_megapixels * 10**6, info.colour_constancy)


@dataclass(frozen=True)
class Scored:
    """Columns of equal length, and what gave no image."""

    sources: tuple[Source, ...]
    probabilities: np.ndarray
    """float64 (images, classes)"""
    predicted: np.ndarray
    """(images,) index into the classes, of the one that the model names."""
    statistics: np.ndarray
    """float64 (images, statistics)"""
    synthetic: int = 0
    failures: tuple[Rejected, ...] = field(default=())


@dataclass(frozen=True)
class Scorer:
    """Call it with a chunk of images. Called again with the same chunk (a task retried) it answers the same."""

    model: ModelRef

    def __call__(self, sources: tuple[Source, ...]) -> Scored:
        model = load(self.model)
        options = decode_options(model.info)

        def read(source: Source) -> Decoded | Undecodable:
            data = read_listed(self.model.store, source.key, source.etag)
            return Undecodable(data, "") if isinstance(data, Reason) else decode(data, options)

        readings = read_ahead(sources, attrgetter("size"), read, threads=THREADS)
        kept: list[Source] = []
        failures: list[Rejected] = []
        answers = _Answers(model)
        synthetic = 0
        for source, reading in readings:
            if isinstance(reading, Undecodable):
                failures.append(Rejected(source.key, source.size, reading.reason, reading.detail))
                continue
            kept.append(source)
            synthetic += reading.synthetic
            answers.add(np.asarray(reading.image))
        probabilities, statistics = answers.all()
        predicted = model.info.decide(probabilities)
        return Scored(tuple(kept), probabilities, predicted, statistics, synthetic, tuple(failures))


@dataclass(frozen=True)
class Sample:
    """The first images of a shard."""

    shard: Shard
    images: int


@dataclass(frozen=True)
class ReferenceScorer:
    """Call it with a sample of the dataset's images: the same statistics of them, (images, statistics)."""

    model: ModelRef
    image_size: int

    def __call__(self, sample: Sample) -> np.ndarray:
        answers = _Answers(load(self.model))
        with tempfile.TemporaryDirectory(prefix="dermaflow-score-") as folder:
            for image in islice(self._images(sample.shard, Path(folder)), sample.images):
                answers.add(image)
        return answers.all()[1]

    def _images(self, shard: Shard, folder: Path) -> Iterator[np.ndarray]:
        import tensorflow as tf

        from dermaflow_jobs.train.records import decode as decode_records
        from dermaflow_jobs.train.shards import download_shard

        path = download_shard(self.model.store, shard, folder)
        for records in tf.data.TFRecordDataset(path).batch(BATCH):
            yield from decode_records(records, self.image_size)[0].numpy()


class _Answers:
    """Gathers images into batches, so that memory holds one batch of pixels whatever the chunk is."""

    def __init__(self, model: Ensemble) -> None:
        self._model = model
        self._waiting: list[np.ndarray] = []
        self._probabilities: list[np.ndarray] = [np.empty((0, len(model.info.classes)))]
        self._statistics: list[np.ndarray] = []

    def add(self, image: np.ndarray) -> None:
        self._waiting.append(image)
        if len(self._waiting) == BATCH:
            self._answer()

    def all(self) -> tuple[np.ndarray, np.ndarray]:
        if self._waiting:
            self._answer()
        statistics = np.concatenate(self._statistics) if self._statistics else np.empty((0, 0))
        return np.concatenate(self._probabilities), statistics

    def _answer(self) -> None:
        images = np.stack(self._waiting)
        self._waiting = []
        probabilities = self._model.probabilities(images)
        self._probabilities.append(probabilities)
        self._statistics.append(all_statistics(images, probabilities))


def samples(shards: Sequence[Shard], most: int) -> list[Sample]:
    """About `most` images in all, of every shard the same share."""
    records = sum(shard.records for shard in shards)
    share = min(1.0, most / records) if records else 0.0
    return [Sample(shard, max(1, round(shard.records * share))) for shard in shards]
