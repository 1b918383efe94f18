"""Image files → the pixels that the model learned from."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from dermaflow_jobs.models.saved import ModelInfo
from dermaflow_jobs.preprocess.decode import DecodeOptions, Undecodable, decode

MAX_PIXELS = 128 * 10**6
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp"})


@dataclass(frozen=True)
class Picture:
    path: Path
    pixels: np.ndarray
    """uint8 (size, size, 3)"""


@dataclass(frozen=True)
class Unreadable:
    path: Path
    reason: str


def find_images(paths: Iterable[Path]) -> Iterator[Path]:
    """Files as given; of a folder every image file below it, in order of name."""
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        else:
            yield path


def read_ahead(paths: Iterable[Path], info: ModelInfo, batch: int) -> Iterator[list[Picture | Unreadable]]:
    """Batch by batch, the next one decoded on all cores while this one is used."""
    waiting, ahead = iter(paths), deque[list[Future[Picture | Unreadable]]]()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while some := list(islice(waiting, batch)):
            ahead.append([pool.submit(read, path, info) for path in some])
            if len(ahead) > 1:
                yield [one.result() for one in ahead.popleft()]
        for last in ahead:
            yield [one.result() for one in last]


def read(path: Path, info: ModelInfo) -> Picture | Unreadable:
    """Through preprocess's own decoder, so that what is predicted on is what was learned from."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return Unreadable(path, error.strerror or str(error))
    options = DecodeOptions(info.image_size, MAX_PIXELS, info.colour_constancy)
    decoded = decode(data, options)
    if isinstance(decoded, Undecodable):
        return Unreadable(path, f"{decoded.reason}: {decoded.detail}")
    return Picture(path, np.asarray(decoded.image))
