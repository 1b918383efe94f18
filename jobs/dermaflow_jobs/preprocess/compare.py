"""Confirms candidate pairs in executors, from the thumbnails in packs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice

import numpy as np

from dermaflow_jobs.preprocess.assembly import Pair, Readable
from dermaflow_jobs.preprocess.duplicates import MIN_CORRELATION, THUMB, Thumb, correlation
from dermaflow_jobs.preprocess.fetch import read_range
from dermaflow_jobs.preprocess.packs import THUMB_BYTES, Entry
from dermaflow_jobs.runtime.s3 import Store

PAIRS = 512
"""In a task."""


@dataclass(frozen=True, slots=True)
class Candidate:
    earlier: int
    later: int
    a: Entry
    b: Entry


def candidate_chunks(images: Sequence[Readable], pairs: Sequence[tuple[int, int]]) -> list[tuple[Candidate, ...]]:
    every = iter(Candidate(i, j, images[i][1], images[j][1]) for i, j in pairs)
    chunks: list[tuple[Candidate, ...]] = []
    while chunk := tuple(islice(every, PAIRS)):
        chunks.append(chunk)
    return chunks


@dataclass(frozen=True)
class Comparer:
    """Call it with candidates: those that are pairs."""

    store: Store
    decoder_id: str

    def __call__(self, candidates: tuple[Candidate, ...]) -> list[Pair]:
        thumb = cache(self._thumb)
        pairs: list[Pair] = []
        for one in candidates:
            same = one.a.pixel_sha256 == one.b.pixel_sha256
            likeness = 1.0 if same else correlation(thumb(_place(one.a)), thumb(_place(one.b)))
            if likeness >= MIN_CORRELATION:
                distance = (one.a.phash ^ one.b.phash).bit_count()
                pairs.append(Pair(one.earlier, one.later, distance, round(likeness, 4)))
        return pairs

    def _thumb(self, place: tuple[str, int]) -> Thumb:
        pack_id, begin = place
        key = self.store.layout.decoded_pack(self.decoder_id, pack_id)
        data = read_range(self.store, key, begin, begin + THUMB_BYTES)
        return np.frombuffer(data, np.uint8).reshape(THUMB, THUMB)


def _place(entry: Entry) -> tuple[str, int]:
    return entry.pack_id, entry.offset + entry.record_bytes
