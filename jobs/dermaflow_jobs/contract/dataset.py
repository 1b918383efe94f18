"""`dataset.json`: what a finished dataset is made of. Its existence is what makes the dataset finished."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from dermaflow_jobs.contract.base import Value

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
SYNTHETIC_SOFTWARE = "Dermaflow synthetic"
"""EXIF `Software` of a drawn image; one such image makes a dataset, and all that comes of it, synthetic."""


class Shard(Value):
    """One TFRecord file: records of one class and split, so that classes can be drawn evenly by streaming."""

    key: str
    split: Split
    label: str
    records: int
    bytes: int
    sha256: str


class DatasetManifest(Value):
    version: Literal[1] = 1
    dataset_id: str
    classes: tuple[str, ...]
    image_size: int
    encoding: Literal["rgb8", "jpeg"] = "rgb8"
    """How pixels lie in the records: raw bytes, or JPEG of quality 95 without chroma subsampling."""
    synthetic: bool
    """True if any image says of itself that it was drawn, not photographed."""
    official_split: bool
    counts: dict[Split, dict[str, int]]
    """Split → class → images."""
    listed: int
    """Objects under raw/ that the run could see: images kept plus quarantine plus duplicates."""
    quarantined: int
    quarantine_reasons: dict[str, int]
    duplicates: int
    """Images whose pixels another image of the same class has too; kept once."""
    near_duplicate_pairs: int = 0
    """Pairs of kept images that show the same photograph. Both stay, in one split."""
    straddling_pairs: int = 0
    """Pairs, exact or near, that an official split puts on two sides. It is kept, and they are reported."""
    straddling_groups: int = 0
    """Lesions and patients whose images an official split puts on more than one side; likewise."""
    metadata: tuple[str, ...] = ()
    """Columns of raw/labels.csv that records carry where known: age, sex."""
    shards: tuple[Shard, ...]
    images_key: str
    """CSV, a row an image kept: key, class, split, sha256 of the pixels, size."""
    quarantine_key: str
    """CSV, a row an image not kept: key, size, reason, detail."""
    fingerprint: str
    """SHA-256 over the shards' hashes."""
    created_at: AwareDatetime

    def images(self, split: Split) -> int:
        return sum(self.counts.get(split, {}).values())
