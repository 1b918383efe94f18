"""Shards on the executor's own disk: TensorFlow's wheels cannot read S3."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dermaflow_jobs.contract.dataset import DatasetManifest, Shard, Split
from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.runtime.s3 import Store


@dataclass(frozen=True)
class ClassFiles:
    """One class of one split, on local disk."""

    label: str
    paths: tuple[str, ...]
    records: int
    bytes: int


def download_split(store: Store, manifest: DatasetManifest, split: Split, folder: Path) -> tuple[ClassFiles, ...]:
    """All shards of a split, eight at a time; a class each, in the manifest's order of classes."""
    shards = [shard for shard in manifest.shards if shard.split == split]
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda shard: download_shard(store, shard, folder), shards))
    return tuple(_of_class(label, shards, paths) for label in manifest.classes)


def download_shard(store: Store, shard: Shard, folder: Path) -> str:
    path = folder / shard.split / shard.label / Path(shard.key).name
    path.parent.mkdir(parents=True, exist_ok=True)
    store.download(shard.key, str(path))
    size = path.stat().st_size
    if size != shard.bytes:
        raise JobError(
            f"{store.layout.uri(shard.key)} has {size} bytes, its manifest says {shard.bytes}",
            remedy="Delete the dataset's prefix; the next run's preprocess writes it anew.",
        )
    return str(path)


def download_weights(uri: str, folder: Path) -> Path:
    """A network's weights from anywhere in S3, under the name they have there: Keras goes by its ending."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    path = folder / Path(key).name
    Store(Layout(bucket, "")).download(key, str(path))
    return path


def local_shards(store: Store, manifest: DatasetManifest, split: Split, folder: Path) -> Iterator[str]:
    """Shard after shard, each deleted when the next is asked for, so that the disk holds one at a time."""
    for shard in manifest.shards:
        if shard.split == split:
            path = download_shard(store, shard, folder)
            try:
                yield path
            finally:
                Path(path).unlink()


def _of_class(label: str, shards: list[Shard], paths: list[str]) -> ClassFiles:
    own = [(shard, path) for shard, path in zip(shards, paths, strict=True) if shard.label == label]
    return ClassFiles(
        label=label,
        paths=tuple(path for _, path in own),
        records=sum(shard.records for shard, _ in own),
        bytes=sum(shard.bytes for shard, _ in own),
    )
