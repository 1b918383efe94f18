"""Packs: what the decoding of some hundred images left, in one S3 object, found again by content.

A pack is an entry after the other: the part of the record that depends on the file's bytes alone, then the grey
thumbnail. Its index has a line an image. So an image is decoded once for all datasets that want it at these options.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from dermaflow_jobs.preprocess.duplicates import THUMB
from dermaflow_jobs.preprocess.reasons import Reason

THUMB_BYTES = THUMB * THUMB


@dataclass(frozen=True, slots=True)
class Entry:
    """An image in a pack."""

    content_id: str
    pack_id: str
    offset: int
    record_bytes: int
    """The thumbnail's THUMB_BYTES follow."""
    content_sha256: str
    pixel_sha256: str
    phash: int
    width: int
    height: int
    synthetic: bool
    notes: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An object that gave no image. Kept in the index too where that is the bytes' fault."""

    content_id: str
    reason: Reason
    detail: str


Outcome = Entry | Refusal
TRANSIENT = frozenset({Reason.VANISHED, Reason.CHANGED})
"""Not the bytes' fault: true of one run only."""


def index_lines(outcomes: Iterable[Outcome]) -> bytes:
    lines = [asdict(o) for o in outcomes if isinstance(o, Entry) or o.reason not in TRANSIENT]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def read_index(data: bytes) -> list[Outcome]:
    return [_outcome(json.loads(line)) for line in data.splitlines()]


def _outcome(line: dict[str, str]) -> Outcome:
    if "reason" in line:
        return Refusal(line["content_id"], Reason(line["reason"]), line["detail"])
    return Entry(**line)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Span:
    """A range of bytes of one pack that holds some of its entries, to be read in one request."""

    pack_id: str
    begin: int
    end: int


def covering_spans(entries: Sequence[Entry]) -> list[Span]:
    """One span a pack, from the first to the last of its entries."""
    begins: dict[str, int] = {}
    ends: dict[str, int] = {}
    for entry in entries:
        end = entry.offset + entry.record_bytes + THUMB_BYTES
        begins[entry.pack_id] = min(begins.get(entry.pack_id, entry.offset), entry.offset)
        ends[entry.pack_id] = max(ends.get(entry.pack_id, 0), end)
    return [Span(pack_id, begin, ends[pack_id]) for pack_id, begin in begins.items()]
