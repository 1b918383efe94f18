"""Which objects under raw/ belong to a run, told by their keys alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from operator import itemgetter
from pathlib import PurePosixPath

from dermaflow_jobs.contract.dataset import SPLITS, Split
from dermaflow_jobs.preprocess.reasons import Reason, Rejected

MAX_BYTES = 256 * 2**20
NOT_IMAGES = frozenset({".csv", ".htm", ".html", ".json", ".md", ".pdf", ".tsv", ".txt", ".xml", ".yaml", ".yml"})


@dataclass(frozen=True, slots=True)
class RawObject:
    """What S3's listing says of an object."""

    key: str
    size: int
    etag: str
    modified: datetime


@dataclass(frozen=True, slots=True)
class RawImage:
    """An object that should be an image of a class."""

    key: str
    size: int
    etag: str
    label: str
    split: Split | None
    """Official, from the key; None where the run decides."""

    @property
    def content_id(self) -> str:
        """Same ETag and size, same bytes. (The converse fails for multipart or KMS uploads: a cache miss, no error.)"""
        return f"{self.etag}-{self.size}"

    @property
    def image_id(self) -> str:
        return PurePosixPath(self.key).stem


@dataclass(frozen=True)
class Listing:
    images: tuple[RawImage, ...]
    """In order of arrival."""
    rejected: tuple[Rejected, ...]

    @property
    def listed(self) -> int:
        return len(self.images) + len(self.rejected)

    def without(self, gone: Iterable[Rejected]) -> Listing:
        """The same objects, of which these images turned out to be unusable."""
        rejected = tuple(gone)
        keys = {one.key for one in rejected}
        return Listing(tuple(image for image in self.images if image.key not in keys), self.rejected + rejected)


def sort_objects(objects: Iterable[RawObject], *, raw: str, classes: tuple[str, ...], until: date) -> Listing:
    """Keys are `<raw>[dt=YYYY-MM-DD/][train|valid|test/]<class>/…`. `labels.csv` at the top is not listed at all,
    nor are folders dated after `until`: they belong to later runs.
    """
    images: list[tuple[_Arrival, RawImage]] = []
    rejected: list[Rejected] = []
    for found in objects:
        place = _place(found.key.removeprefix(raw), classes)
        if place is _NOT_LISTED or (isinstance(place, _Place) and place.day is not None and place.day > until):
            continue
        reason = place if isinstance(place, Reason) else _unusable(found)
        if reason is not None:
            rejected.append(Rejected(found.key, found.size, reason))
        elif isinstance(place, _Place):
            image = RawImage(found.key, found.size, found.etag.strip('"'), place.label, place.split)
            images.append((_arrival(found, place.day), image))
    images.sort(key=itemgetter(0))
    return Listing(tuple(image for _, image in images), tuple(rejected))


_Arrival = tuple[str, str, str, str]


def _arrival(found: RawObject, day: date | None) -> _Arrival:
    """Orders images by when they came, so that later ones adapt to earlier ones.

    First the day from which on both upload and date folder let a run see the image: what is uploaded later comes
    later. Within a day's uploads by date folder: where years of them are uploaded at once, runs of earlier and of
    later dates agree.
    """
    dated = day.isoformat() if day else ""
    return max(dated, found.modified.date().isoformat()), dated, found.modified.isoformat(), found.key


@dataclass(frozen=True, slots=True)
class _Place:
    day: date | None
    split: Split | None
    label: str


_NOT_LISTED = object()


def _place(path: str, classes: tuple[str, ...]) -> _Place | Reason | object:
    if path == "labels.csv":
        return _NOT_LISTED
    *folders, name = path.split("/")
    day: date | None = None
    if folders and folders[0].startswith("dt="):
        try:
            day = date.fromisoformat(folders.pop(0)[3:])
        except ValueError:
            return Reason.BAD_DATE
    split = next((split for split in SPLITS if folders[:1] == [split]), None)
    if split is not None:
        folders = folders[1:]
    if not name:
        return Reason.FOLDER_MARKER
    if PurePosixPath(name).suffix.lower() in NOT_IMAGES:
        return Reason.NOT_AN_IMAGE
    if not folders or folders[0] not in classes:
        return Reason.UNKNOWN_CLASS
    return _Place(day, split, folders[0])


def _unusable(found: RawObject) -> Reason | None:
    if found.size == 0:
        return Reason.EMPTY
    return Reason.TOO_MANY_BYTES if found.size > MAX_BYTES else None
