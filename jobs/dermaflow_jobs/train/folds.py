"""The training split in parts, for cross-validation: images of one group (lesion, patient, photograph) in one part."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import tensorflow as tf

from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.train.shards import ClassFiles

Parts = list[tuple[ClassFiles, ...]]


def split_folds(classes: Sequence[ClassFiles], folds: int, folder: Path) -> Parts:
    """Per fold a file a class. Decided by the records' own groups, so every worker's folds are the same.

    Raises JobError where a class has too few groups for every fold to get one.
    """
    fold_of: dict[bytes, int] = {}
    for files in classes:
        new = sorted({group for group, _ in _records(files)} - fold_of.keys(), key=_digest)
        fold_of |= {group: number % folds for number, group in enumerate(new)}
    parts = [_write_class(files, fold_of, folds, folder) for files in classes]
    return [tuple(per_class[fold] for per_class in parts) for fold in range(folds)]


def without(parts: Parts, fold: int) -> tuple[ClassFiles, ...]:
    """All folds but one, put together again."""
    others = [part for number, part in enumerate(parts) if number != fold]
    return tuple(_joined(per_class) for per_class in zip(*others, strict=True))


def _joined(files: Sequence[ClassFiles]) -> ClassFiles:
    return ClassFiles(
        label=files[0].label,
        paths=tuple(path for one in files for path in one.paths),
        records=sum(one.records for one in files),
        bytes=sum(one.bytes for one in files),
    )


def _write_class(files: ClassFiles, fold_of: dict[bytes, int], folds: int, folder: Path) -> list[ClassFiles]:
    paths = [folder / "folds" / str(fold) / f"{files.label}.tfrecord" for fold in range(folds)]
    counts = [0] * folds
    with ExitStack() as stack:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        writers = [stack.enter_context(tf.io.TFRecordWriter(str(path))) for path in paths]
        for group, record in _records(files):
            writers[fold_of[group]].write(record)
            counts[fold_of[group]] += 1
    if 0 in counts:
        raise JobError(
            f"{files.label} has too few images, or groups of images, for folds = {folds}",
            remedy="Lower folds, or add images of that class.",
        )
    return [
        ClassFiles(files.label, (str(path),), count, path.stat().st_size)
        for path, count in zip(paths, counts, strict=True)
    ]


def _records(files: ClassFiles) -> Iterator[tuple[bytes, bytes]]:
    """Group, or the image's key where it has none, and the record."""
    for path in files.paths:
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            features = tf.train.Example.FromString(record).features.feature
            group = features["group"].bytes_list.value if "group" in features else ()
            yield (b"group:" + group[0] if group else b"key:" + features["key"].bytes_list.value[0]), record


def _digest(group: bytes) -> bytes:
    return hashlib.sha256(group).digest()
