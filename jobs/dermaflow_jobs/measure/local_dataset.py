"""A folder of class folders as arrays of records, without S3 and Spark: for measurements on one machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dermaflow_jobs.preprocess.decode import DecodeOptions, Undecodable
from dermaflow_jobs.preprocess.duplicates import MIN_CORRELATION, candidates, correlation, perceptual_hashes
from dermaflow_jobs.preprocess.images import process
from dermaflow_jobs.preprocess.labels import NOTHING, Label, read_labels
from dermaflow_jobs.preprocess.records import example, framed
from dermaflow_jobs.preprocess.shards import described
from dermaflow_jobs.train.shards import ClassFiles

MAX_PIXELS = 128 * 10**6
SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})


@dataclass(frozen=True)
class LocalImage:
    image_id: str
    split: str
    """train or valid; train where the folder has no splits."""
    label: int
    record: bytes
    """Serialized tf.train.Example."""
    thumb: Image.Image
    """Grey, for comparison with other images."""


@dataclass(frozen=True)
class LocalDataset:
    classes: tuple[str, ...]
    images: tuple[LocalImage, ...]

    @property
    def labels(self) -> np.ndarray:
        return np.array([image.label for image in self.images])

    def rows(self, split: str) -> np.ndarray:
        return np.flatnonzero([image.split == split for image in self.images])

    def groups(self) -> np.ndarray:
        """A number an image, the same for images that show the same photograph."""
        thumbs = [image.thumb for image in self.images]
        hashes = perceptual_hashes(thumbs)
        fine = [np.asarray(thumb) for thumb in thumbs]
        same = [(a, b) for a, b in candidates(hashes) if correlation(fine[a], fine[b]) >= MIN_CORRELATION]
        links = np.array(same, int).reshape(-1, 2).T
        graph = coo_array((np.ones(len(same)), (links[0], links[1])), shape=(len(hashes), len(hashes)))
        return np.asarray(connected_components(graph, directed=False)[1])

    def write(self, rows: Sequence[int], folder: Path) -> tuple[ClassFiles, ...]:
        """One shard a class, as preprocess frames them."""
        folder.mkdir(parents=True)
        return tuple(self._write_class(label, rows, folder) for label in range(len(self.classes)))

    def _write_class(self, label: int, rows: Sequence[int], folder: Path) -> ClassFiles:
        own = [self.images[row].record for row in rows if self.images[row].label == label]
        path = folder / f"{self.classes[label]}.tfrecord"
        path.write_bytes(b"".join(framed(record) for record in own))
        return ClassFiles(self.classes[label], (str(path),), len(own), path.stat().st_size)


def read_folder(folder: Path, size: int) -> LocalDataset:
    """`folder[/train|valid]/<class>/<image>`, decoded as preprocess does; what cannot be read is left out.

    Age and sex come from `folder/labels.csv`, if there is one. Raises JobError where it is no such table.
    """
    split_folders = [(split, folder / split) for split in ("train", "valid") if (folder / split).is_dir()]
    places = split_folders or [("train", folder)]
    classes = sorted({path.name for _, place in places for path in place.iterdir() if path.is_dir()})
    known = _known(folder / "labels.csv")
    tasks = [
        (file, file.relative_to(folder).as_posix(), split, label, known.get(file.stem, NOTHING), size)
        for split, place in places
        for label, name in enumerate(classes)
        for file in _files(place / name)
    ]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        images = tuple(image for image in pool.map(_read, tasks, chunksize=32) if image)
    return LocalDataset(tuple(classes), images)


def _known(labels: Path) -> Mapping[str, Label]:
    return read_labels(labels.read_bytes(), str(labels)) if labels.is_file() else {}


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)


def _read(task: tuple[Path, str, str, int, Label, int]) -> LocalImage | None:
    path, key, split, label, known, size = task
    done = process(path.read_bytes(), DecodeOptions(size, MAX_PIXELS))
    if isinstance(done, Undecodable):
        return None
    about = described(label=label, image_id=path.stem, key=key, group=None, known=known)
    return LocalImage(path.stem, split, label, example(done.record + about), done.thumb)
