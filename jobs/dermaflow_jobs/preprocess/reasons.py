"""Why an object is not in the dataset."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    NOT_AN_IMAGE = "not an image"
    FOLDER_MARKER = "folder marker"
    UNKNOWN_CLASS = "unknown class"
    BAD_DATE = "bad date folder"
    EMPTY = "zero bytes"
    TOO_MANY_BYTES = "file too large"
    TOO_MANY_PIXELS = "too many pixels"
    UNREADABLE = "not a readable image"
    TRUNCATED = "truncated"
    UNSUPPORTED = "unsupported pixel format"
    VANISHED = "vanished before it was read"
    CHANGED = "changed before it was read"
    CONFLICT = "same pixels under two classes"
    BRIDGE = "resembles images of two splits"


HARMLESS = frozenset({Reason.NOT_AN_IMAGE, Reason.FOLDER_MARKER, Reason.BRIDGE})
"""Say nothing about the quality of the images, so they do not count towards `max_bad_share`."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row of the quarantine list."""

    key: str
    size: int
    reason: Reason
    detail: str = ""
