"""From what was decoded to who is in the dataset, in which split, and what becomes of all others. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dermaflow_jobs.contract.dataset import Split
from dermaflow_jobs.preprocess.duplicates import groups_by
from dermaflow_jobs.preprocess.labels import NOTHING, Label
from dermaflow_jobs.preprocess.listing import RawImage
from dermaflow_jobs.preprocess.packs import Entry
from dermaflow_jobs.preprocess.reasons import Reason, Rejected
from dermaflow_jobs.preprocess.split import SplitRule, place

Readable = tuple[RawImage, Entry]


@dataclass(frozen=True, slots=True)
class Kept:
    """An image of the dataset."""

    image: RawImage
    entry: Entry
    split: Split
    about: Label
    group: str | None
    """Shared by images of one photograph, lesion or patient; None for one that stands alone."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two distinct images (positions, the earlier first) that show the same photograph."""

    earlier: int
    later: int
    distance: int
    correlation: float


@dataclass(frozen=True, slots=True)
class Repeat:
    """An object whose pixels a kept image has too."""

    key: str
    size: int
    duplicate_of: str


@dataclass(frozen=True, slots=True)
class FoundPair:
    """A row of the list of near-duplicates."""

    key_a: str
    split_a: Split
    key_b: str
    split_b: Split
    distance: int
    correlation: float

    @property
    def straddles(self) -> bool:
        return self.split_a != self.split_b


@dataclass(frozen=True, slots=True)
class StraddlingGroup:
    """A lesion or patient whose images an official split puts on more than one side."""

    kind: Literal["lesion", "patient"]
    name: str
    images: Mapping[Split, int]


@dataclass(frozen=True)
class Assembly:
    kept: tuple[Kept, ...]
    rejected: tuple[Rejected, ...]
    repeats: tuple[Repeat, ...]
    pairs: tuple[FoundPair, ...]
    straddling: tuple[StraddlingGroup, ...]


@dataclass(frozen=True)
class Distinct:
    """Images that differ in pixels or in official split, in order of arrival, and where the others belong."""

    images: tuple[Readable, ...]
    position_of: Mapping[tuple[str, Split | None], int]

    def position(self, image: RawImage, entry: Entry) -> int:
        return self.position_of[entry.pixel_sha256, image.split]


def find_distinct(readable: Iterable[Readable]) -> Distinct:
    """Of images of the same pixels the earliest stands for all, on each side of an official split."""
    images: list[Readable] = []
    position_of: dict[tuple[str, Split | None], int] = {}
    for image, entry in readable:
        if position_of.setdefault((entry.pixel_sha256, image.split), len(images)) == len(images):
            images.append((image, entry))
    return Distinct(tuple(images), position_of)


def assemble(
    readable: Sequence[Readable],
    distinct: Distinct,
    pairs: Sequence[Pair],
    labels: Mapping[str, Label],
    rule: SplitRule,
) -> Assembly:
    """Every readable image ends in exactly one of kept, rejected and repeats."""
    about = [labels.get(image.image_id, NOTHING) for image, _ in distinct.images]
    links = [(pair.earlier, pair.later) for pair in pairs]
    links += groups_by(known.lesion_id for known in about)
    links += groups_by(known.patient_id for known in about)
    resembles: dict[int, list[int]] = defaultdict(list)
    for earlier, later in links:
        resembles[later].append(earlier)
    splits = place(
        [entry.content_sha256 for _, entry in distinct.images],
        [image.split for image, _ in distinct.images],
        resembles,
        rule,
    )
    groups = _groups(distinct, links)
    classes_of = _classes_by_pixels(readable)
    kept: list[Kept] = []
    rejected: list[Rejected] = []
    repeats: list[Repeat] = []
    for image, entry in readable:
        position = distinct.position(image, entry)
        first, split = distinct.images[position][0], splits[position]
        if len(classes_of[entry.pixel_sha256]) > 1:
            detail = ", ".join(sorted(classes_of[entry.pixel_sha256]))
            rejected.append(Rejected(image.key, image.size, Reason.CONFLICT, detail))
        elif split is None:
            rejected.append(Rejected(image.key, image.size, Reason.BRIDGE))
        elif first is image:
            kept.append(Kept(image, entry, split, about[position], groups.get(position)))
        else:
            repeats.append(Repeat(image.key, image.size, first.key))
    return Assembly(
        tuple(kept),
        tuple(rejected),
        tuple(repeats),
        tuple(_found(pairs, distinct, kept)),
        (*_straddling("lesion", kept), *_straddling("patient", kept)),
    )


def _classes_by_pixels(readable: Iterable[Readable]) -> dict[str, set[str]]:
    classes: dict[str, set[str]] = defaultdict(set)
    for image, entry in readable:
        classes[entry.pixel_sha256].add(image.label)
    return classes


def _groups(distinct: Distinct, links: Iterable[tuple[int, int]]) -> dict[int, str]:
    """Position → name of its connected component (the pixels of its earliest image), where it has company."""
    root: dict[int, int] = {}

    def find(position: int) -> int:
        while (above := root.get(position, position)) != position:
            root[position] = root.get(above, above)
            position = above
        return position

    for a, b in links:
        low, high = sorted((find(a), find(b)))
        root[high] = root[low] = low
    return {position: distinct.images[find(position)][1].pixel_sha256[:16] for position in root}


def _straddling(kind: Literal["lesion", "patient"], kept: Iterable[Kept]) -> Iterable[StraddlingGroup]:
    images: dict[str, Counter[Split]] = defaultdict(Counter)
    for one in kept:
        name = one.about.lesion_id if kind == "lesion" else one.about.patient_id
        if name is not None:
            images[name][one.split] += 1
    return (StraddlingGroup(kind, name, counts) for name, counts in sorted(images.items()) if len(counts) > 1)


def _found(pairs: Iterable[Pair], distinct: Distinct, kept: Iterable[Kept]) -> Iterable[FoundPair]:
    split_of = {one.image.key: one.split for one in kept}
    for pair in pairs:
        a, b = distinct.images[pair.earlier][0].key, distinct.images[pair.later][0].key
        if a in split_of and b in split_of:
            yield FoundPair(a, split_of[a], b, split_of[b], pair.distance, pair.correlation)
