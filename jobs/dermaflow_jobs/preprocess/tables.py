"""The CSV files beside a dataset, written row by row to local disk and uploaded: memory does not grow with them."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Sequence

from dermaflow_jobs.contract.dataset import SPLITS
from dermaflow_jobs.preprocess.assembly import Assembly
from dermaflow_jobs.preprocess.reasons import Rejected
from dermaflow_jobs.runtime.s3 import Store

Row = Sequence[str | int | float]


def write_tables(store: Store, dataset_id: str, assembly: Assembly, rejected: Iterable[Rejected]) -> None:
    """images, quarantine, duplicates, near_duplicates and straddling_groups."""
    _write(
        store,
        store.layout.dataset_table(dataset_id, "images"),
        ("key", "class", "split", "pixel_sha256", "size", "width", "height", "group", "synthetic", "notes"),
        (
            (
                one.image.key,
                one.image.label,
                one.split,
                one.entry.pixel_sha256,
                one.image.size,
                one.entry.width,
                one.entry.height,
                one.group or "",
                str(one.entry.synthetic).lower(),
                one.entry.notes,
            )
            for one in assembly.kept
        ),
    )
    _write(
        store,
        store.layout.dataset_table(dataset_id, "quarantine"),
        ("key", "size", "reason", "detail"),
        ((one.key, one.size, one.reason.value, one.detail) for one in rejected),
    )
    _write(
        store,
        store.layout.dataset_table(dataset_id, "duplicates"),
        ("key", "size", "duplicate_of"),
        ((one.key, one.size, one.duplicate_of) for one in assembly.repeats),
    )
    _write(
        store,
        store.layout.dataset_table(dataset_id, "near_duplicates"),
        ("key_a", "split_a", "key_b", "split_b", "hamming_distance", "correlation", "straddles"),
        (
            (p.key_a, p.split_a, p.key_b, p.split_b, p.distance, p.correlation, str(p.straddles).lower())
            for p in assembly.pairs
        ),
    )
    _write(
        store,
        store.layout.dataset_table(dataset_id, "straddling_groups"),
        ("kind", "id", *SPLITS),
        ((one.kind, one.name, *(one.images.get(split, 0) for split in SPLITS)) for one in assembly.straddling),
    )


def _write(store: Store, key: str, header: Row, rows: Iterable[Row]) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="dermaflow-table-", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        file.flush()
        store.upload(file.name, key)
