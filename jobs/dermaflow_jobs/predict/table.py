"""The table of predictions: image_id, then a probability a class. One that was cut off is gone on with."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from dermaflow_jobs.runtime.errors import JobError


class TableError(JobError):
    """A file that is there and is no such table."""


def begin(path: Path, classes: Sequence[str]) -> frozenset[str]:
    """Make sure that rows can be appended; the ids that have one. A last line without its end is taken away.

    Raises TableError for a file that is something else.
    """
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    whole = [line for line in lines if line.endswith(b"\n")]
    if not whole:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            write_header(file, classes)
        return frozenset()
    rows = list(csv.reader(line.decode() for line in whole))
    if rows[0] != _header(classes):
        raise TableError(
            f"{path} has the columns {', '.join(rows[0])}, not {', '.join(_header(classes))}",
            remedy="Give --csv another name, or delete the file.",
        )
    path.write_bytes(b"".join(whole))
    return frozenset(row[0] for row in rows[1:])


def write_header(file: TextIO, classes: Sequence[str]) -> None:
    csv.writer(file, lineterminator="\n").writerow(_header(classes))


def write_rows(file: TextIO, image_ids: Sequence[str], probabilities: np.ndarray) -> None:
    writer = csv.writer(file, lineterminator="\n")
    for image_id, row in zip(image_ids, probabilities, strict=True):
        writer.writerow([image_id, *(f"{value:.6f}" for value in row)])
    file.flush()


def _header(classes: Sequence[str]) -> list[str]:
    return ["image_id", *classes]
