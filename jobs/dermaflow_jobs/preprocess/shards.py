"""Shards: records of one class and one split, up to a size, written by executors from packs."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO

from dermaflow_jobs.contract.dataset import SPLITS, Shard, Split
from dermaflow_jobs.preprocess.assembly import Kept
from dermaflow_jobs.preprocess.fetch import read_ahead, read_range
from dermaflow_jobs.preprocess.labels import Label
from dermaflow_jobs.preprocess.packs import Entry, Span, covering_spans
from dermaflow_jobs.preprocess.records import FeatureValue, example, features, framed
from dermaflow_jobs.runtime.s3 import Store

SCRATCH = "dermaflow-shard-"


@dataclass(frozen=True)
class ShardPlan:
    key: str
    split: Split
    label: str
    rows: tuple[tuple[Entry, bytes], ...]
    """Where the part of the record lies that depends on the file's bytes, and the part that depends on the dataset."""


def plan_shards(
    kept: Iterable[Kept], classes: tuple[str, ...], shard_bytes: int, key_of: partial[str]
) -> list[ShardPlan]:
    """`key_of(split=, label=, number=)`. Within a class and split images lie in the order of their pixels' hashes,
    which is as good as shuffled and always the same.
    """
    folders: dict[tuple[Split, str], list[Kept]] = defaultdict(list)
    for one in kept:
        folders[one.split, one.image.label].append(one)
    plans: list[ShardPlan] = []
    for split, label in sorted(folders, key=lambda at: (SPLITS.index(at[0]), at[1])):
        ordered = sorted(folders[split, label], key=lambda one: (one.entry.pixel_sha256, one.image.key))
        for number, members in enumerate(_filled(ordered, shard_bytes)):
            rows = tuple((one.entry, _described(one, classes)) for one in members)
            plans.append(ShardPlan(key_of(split=split, label=label, number=number), split, label, rows))
    return plans


def _filled(ordered: Iterable[Kept], shard_bytes: int) -> Iterator[list[Kept]]:
    members: list[Kept] = []
    held = 0
    for one in ordered:
        if members and held + one.entry.record_bytes > shard_bytes:
            yield members
            members, held = [], 0
        members.append(one)
        held += one.entry.record_bytes
    if members:
        yield members


def described(*, label: int, image_id: str, key: str, group: str | None, known: Label) -> bytes:
    """The entries of a record that do not follow from its file's bytes."""
    about: dict[str, FeatureValue] = {"label": label, "image_id": image_id.encode(), "key": key.encode()}
    if group is not None:
        about["group"] = group.encode()
    if known.age is not None:
        about["age"] = float(known.age)
    if known.sex is not None:
        about["sex"] = known.sex.encode()
    return features(about)


def _described(one: Kept, classes: tuple[str, ...]) -> bytes:
    image = one.image
    return described(
        label=classes.index(image.label), image_id=image.image_id, key=image.key, group=one.group, known=one.about
    )


@dataclass(frozen=True)
class ShardWriter:
    """Call it with a plan: reads the packs, writes the shard. Memory: what is read ahead; records wait on disk."""

    store: Store
    decoder_id: str

    def __call__(self, plan: ShardPlan) -> Shard:
        digest, size = hashlib.sha256(), 0
        with tempfile.NamedTemporaryFile(prefix=SCRATCH) as parts, tempfile.NamedTemporaryFile(prefix=SCRATCH) as shard:
            places = self._fetch([entry for entry, _ in plan.rows], parts)
            for entry, about in plan.rows:
                part = os.pread(parts.fileno(), entry.record_bytes, places[entry.pack_id, entry.offset])
                record = framed(example(part + about))
                shard.write(record)
                digest.update(record)
                size += len(record)
            shard.flush()
            self.store.upload(shard.name, plan.key)
        return Shard(
            key=plan.key,
            split=plan.split,
            label=plan.label,
            records=len(plan.rows),
            bytes=size,
            sha256=digest.hexdigest(),
        )

    def _fetch(self, entries: list[Entry], parts: IO[bytes]) -> dict[tuple[str, int], int]:
        """Copies what the packs hold of these to `parts`. Pack and offset → where it is there."""
        of_pack: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            of_pack[entry.pack_id].append(entry)
        places: dict[tuple[str, int], int] = {}
        for span, data in read_ahead(covering_spans(entries), _span_bytes, self._read):
            begin = parts.tell() - span.begin
            for entry in of_pack[span.pack_id]:
                places[entry.pack_id, entry.offset] = begin + entry.offset
            parts.write(data)
        parts.flush()
        return places

    def _read(self, span: Span) -> bytes:
        key = self.store.layout.decoded_pack(self.decoder_id, span.pack_id)
        return read_range(self.store, key, span.begin, span.end)


def _span_bytes(span: Span) -> int:
    return span.end - span.begin
