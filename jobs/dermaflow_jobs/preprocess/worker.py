"""What an executor does with a chunk of images: one picklable callable, of which Spark is only a way to call it."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter

from PIL import Image

from dermaflow_jobs.preprocess.decode import DecodeOptions, Undecodable
from dermaflow_jobs.preprocess.duplicates import perceptual_hashes
from dermaflow_jobs.preprocess.fetch import read_ahead, read_listed
from dermaflow_jobs.preprocess.images import Processed, process_all
from dermaflow_jobs.preprocess.packs import Entry, Outcome, Refusal, index_lines
from dermaflow_jobs.preprocess.reasons import Reason
from dermaflow_jobs.runtime.s3 import Store

MAX_IMAGES = 128
"""In a pack: some MB, some seconds of work, little to repeat where a node is lost."""


@dataclass(frozen=True, slots=True)
class Source:
    """An object to be decoded."""

    key: str
    etag: str
    size: int

    @property
    def content_id(self) -> str:
        return f"{self.etag}-{self.size}"


def chunks(sources: Sequence[Source], slots: int) -> list[tuple[Source, ...]]:
    """At most MAX_IMAGES each, and enough chunks that all slots stay busy to the end."""
    size = min(MAX_IMAGES, max(8, -(-len(sources) // (slots * 4))))
    return [tuple(sources[at : at + size]) for at in range(0, len(sources), size)]


@dataclass(frozen=True)
class Decoder:
    """Call it with a chunk: decodes, leaves a pack and its index in S3, tells what became of every object.

    Called again with the same chunk (a task retried) it writes the same objects again.
    """

    store: Store
    decoder_id: str
    options: DecodeOptions

    def __call__(self, sources: tuple[Source, ...]) -> list[Outcome]:
        pack_id = hashlib.sha256("\n".join(source.content_id for source in sources).encode()).hexdigest()[:32]
        body = bytearray()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about broken metadata: nobody reads an executor's stderr
            outcomes = self._outcomes(sources, pack_id, body)
        layout = self.store.layout
        self.store.put_bytes(layout.decoded_pack(self.decoder_id, pack_id), bytes(body))
        self.store.put_bytes(layout.decoded_index(self.decoder_id, pack_id), index_lines(outcomes))
        return outcomes

    def _outcomes(self, sources: tuple[Source, ...], pack_id: str, body: bytearray) -> list[Outcome]:
        """Appends the pack's bytes to `body`."""
        outcomes: list[Outcome] = []
        thumbs: list[Image.Image] = []
        read = read_ahead(sources, attrgetter("size"), partial(_read, self.store))
        files = (Undecodable(data, "") if isinstance(data, Reason) else data for _, data in read)
        for source, result in zip(sources, process_all(files, self.options), strict=True):
            if isinstance(result, Undecodable):
                outcomes.append(Refusal(source.content_id, result.reason, result.detail))
            else:
                outcomes.append(_entry(source, pack_id, len(body), result))
                thumbs.append(result.thumb)
                body += result.record
                body += result.thumb.tobytes()
        hashes = iter(perceptual_hashes(thumbs))
        return [one if isinstance(one, Refusal) else replace(one, phash=next(hashes)) for one in outcomes]


def _read(store: Store, source: Source) -> bytes | Reason:
    return read_listed(store, source.key, source.etag)


def _entry(source: Source, pack_id: str, offset: int, processed: Processed) -> Entry:
    return Entry(
        content_id=source.content_id,
        pack_id=pack_id,
        offset=offset,
        record_bytes=len(processed.record),
        content_sha256=processed.content_sha256,
        pixel_sha256=processed.pixel_sha256,
        phash=0,
        width=processed.width,
        height=processed.height,
        synthetic=processed.synthetic,
        notes=processed.notes,
    )
