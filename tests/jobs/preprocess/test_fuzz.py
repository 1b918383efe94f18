"""Broken files by the thousand through the worker's function, in processes of their own, watched from outside."""

from __future__ import annotations

import multiprocessing
import re
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import jpeg, photo, saved, srgb_profile, turned_by_exif

from dermaflow_jobs.preprocess.decode import DecodeOptions, Undecodable
from dermaflow_jobs.preprocess.images import Processed, process
from dermaflow_jobs.preprocess.packs import THUMB_BYTES, Entry, Refusal, read_index
from dermaflow_jobs.preprocess.reasons import Reason
from dermaflow_jobs.preprocess.records import example
from dermaflow_jobs.preprocess.worker import Decoder, Source
from dermaflow_jobs.runtime.s3 import Store, s3_client

FILES = 2400
OPTIONS = DecodeOptions(size=64, max_pixels=4 * 10**6)
SLOWEST_S = 5.0
MEMORY_BYTES = 200 * 2**20
"""Growth of the process's peak: an image within max_pixels, in the widest mode, with what a decoder needs beside it."""


@cache
def originals() -> tuple[bytes, ...]:
    """Every format that is read, with all that can be wrong in it."""
    image = photo(1, (120, 90))
    return (
        jpeg(2),
        jpeg(3, progressive=True, icc_profile=srgb_profile()),
        turned_by_exif(4),
        saved(image.convert("CMYK"), "JPEG"),
        saved(image, "PNG", icc_profile=srgb_profile()),
        saved(image.quantize(32), "PNG"),
        saved(image, "GIF", save_all=True, append_images=[photo(5, (120, 90))]),
        saved(image, "BMP"),
        saved(image, "TIFF", compression="tiff_lzw"),
        saved(image, "TIFF", compression="tiff_adobe_deflate"),
        saved(image, "WEBP"),
        saved(image, "WEBP", lossless=True),
    )


def mutated(seed: int) -> bytes:
    """One of the originals: bits flipped, cut short, under another's header, with a hole, or replaced by noise."""
    rng = np.random.default_rng(seed)
    data = bytearray(originals()[rng.integers(len(originals()))])
    kind = seed % 6
    if kind == 0:
        for at in rng.integers(0, len(data), rng.integers(1, 40)):
            data[at] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        for at in rng.integers(0, min(200, len(data)), rng.integers(1, 12)):  # headers: sizes, offsets, counts
            data[at] = int(rng.choice([0, 1, 127, 128, 255]))
    elif kind == 2:
        del data[int(rng.integers(len(data))) :]
    elif kind == 3:
        other = originals()[rng.integers(len(originals()))]
        cut = int(rng.integers(1, 400))
        data[:cut] = other[:cut]
    elif kind == 4:
        begin = int(rng.integers(len(data)))
        data[begin : begin + int(rng.integers(1, 2000))] = rng.bytes(int(rng.integers(0, 2000)))
    else:
        data[int(rng.integers(1, 30)) :] = rng.bytes(int(rng.integers(1, 5000)))
    return bytes(data)


def try_many(seeds: range) -> tuple[Counter[str], float, int]:
    """What became of the files, the slowest one's seconds, growth of peak memory in bytes."""
    process(originals()[0], OPTIONS)
    before = peak_bytes()
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    for seed in seeds:
        data = mutated(seed)
        began = time.monotonic()
        outcomes[checked(process(data, OPTIONS))] += 1
        slowest = max(slowest, time.monotonic() - began)
    return outcomes, slowest, peak_bytes() - before


def peak_bytes() -> int:
    """Of this process alone; getrusage's figure is inherited from the process that started it."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]


def checked(found: Processed | Undecodable) -> str:
    """A record of the right size, or a reason."""
    if isinstance(found, Undecodable):
        assert found.detail
        return found.reason.value
    assert len(example(found.record)) > 64 * 64 * 3
    assert found.thumb.size == (64, 64)
    return "kept"


def test_thousands_of_broken_files_crash_hang_or_swell_nothing() -> None:
    """Every file ends as a record or a reason; a crash would break the pool, a hang or a leak is measured."""
    context = multiprocessing.get_context("spawn")
    parts = [range(begin, begin + 300) for begin in range(0, FILES, 300)]
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        results = list(pool.map(try_many, parts))
    outcomes: Counter[str] = sum((counts for counts, _, _ in results), Counter())
    print(f"\n{dict(outcomes)}, slowest {max(r[1] for r in results):.3f} s", end=", ")
    print(f"peak memory grew by {max(r[2] for r in results) / 2**20:.0f} MiB at most")
    assert sum(outcomes.values()) == FILES
    assert len(outcomes) >= 4, "mutations too tame: some files should survive, others fail in several ways"
    assert max(slowest for _, slowest, _ in results) < SLOWEST_S
    assert max(grown for _, _, grown in results) < MEMORY_BYTES


def test_the_worker_accounts_for_every_broken_file(empty_store: Store) -> None:
    """From S3 to the pack: an outcome an object, in order; what is kept lies where it is said to; the index agrees."""
    sources = []
    for seed in range(180):
        body = mutated(seed)
        key = f"raw/nevus/{seed}.jpg"
        etag = s3_client().put_object(Bucket=empty_store.layout.bucket, Key=key, Body=body)["ETag"].strip('"')
        sources.append(Source(key, etag, len(body)))
    empty_store.delete("raw/nevus/17.jpg")
    outcomes = Decoder(empty_store, "decoder", OPTIONS)(tuple(sources))
    assert [one.content_id for one in outcomes] == [source.content_id for source in sources]
    assert outcomes[17] == Refusal(sources[17].content_id, Reason.VANISHED, "")
    (index,) = (one["Key"] for one in empty_store.list("") if one["Key"].endswith(".index.jsonl"))
    assert read_index(empty_store.get_bytes(index)) == [one for one in outcomes if one is not outcomes[17]]
    pack = empty_store.get_bytes(index.replace(".index.jsonl", ".pack"))
    kept = [one for one in outcomes if isinstance(one, Entry)]
    assert len(kept) > 20
    for entry in kept:
        assert entry.pixel_sha256.encode() in pack[entry.offset : entry.offset + entry.record_bytes]
    assert kept[-1].offset + kept[-1].record_bytes + THUMB_BYTES == len(pack)


@settings(max_examples=150, deadline=5000)
@given(st.binary(max_size=300), st.integers(0, 11), st.integers(0, 1000))
def test_any_bytes_behind_any_header_are_accounted_for(tail: bytes, which: int, kept: int) -> None:
    """Hypothesis looks for the shortest file that is neither an image nor a reason."""
    original = originals()[which]
    checked(process(original[:kept] + tail, OPTIONS))
