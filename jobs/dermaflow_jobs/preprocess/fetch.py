"""Reads objects ahead of their use, in order, with a bound on the bytes that wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from dermaflow_jobs.preprocess.reasons import Reason
from dermaflow_jobs.runtime.errors import StorageError
from dermaflow_jobs.runtime.s3 import Store, s3_client

THREADS = 8
AHEAD_BYTES = 64 * 2**20

T = TypeVar("T")
V = TypeVar("V")


def read_ahead(
    items: Iterable[T],
    size: Callable[[T], int],
    read: Callable[[T], V],
    *,
    threads: int = THREADS,
    ahead_bytes: int = AHEAD_BYTES,
) -> Iterator[tuple[T, V]]:
    """Items with what `read` gave, in order. At least one read is under way, however large it is."""
    waiting: deque[tuple[T, Future[V]]] = deque()
    held = 0
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            while waiting and (held + size(item) > ahead_bytes or len(waiting) >= 4 * threads):
                done, future = waiting.popleft()
                held -= size(done)
                yield done, future.result()
            waiting.append((item, pool.submit(read, item)))
            held += size(item)
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()


_GONE = {
    "NoSuchKey": Reason.VANISHED,
    "404": Reason.VANISHED,
    "PreconditionFailed": Reason.CHANGED,
    "412": Reason.CHANGED,
}


def read_listed(store: Store, key: str, etag: str) -> bytes | Reason:
    """The bytes that were listed under this ETag, or why they are there no more. Raises StorageError for all else."""
    try:
        return s3_client().get_object(Bucket=store.layout.bucket, Key=key, IfMatch=f'"{etag}"')["Body"].read()
    except ClientError as error:
        reason = _GONE.get(error.response["Error"]["Code"])
        if reason is None:
            raise StorageError(f"cannot read {store.layout.uri(key)}: {error}") from error
        return reason
    except BotoCoreError as error:
        raise StorageError(f"cannot read {store.layout.uri(key)}: {error}") from error


def read_range(store: Store, key: str, begin: int, end: int) -> bytes:
    """Bytes `begin` to `end`, without `end`. Raises StorageError, also where the object ends before `end`."""
    try:
        part = s3_client().get_object(Bucket=store.layout.bucket, Key=key, Range=f"bytes={begin}-{end - 1}")
        data = part["Body"].read()
    except (ClientError, BotoCoreError) as error:
        raise StorageError(f"cannot read {store.layout.uri(key)}, bytes {begin}-{end}: {error}") from error
    if len(data) != end - begin:
        raise StorageError(
            f"{store.layout.uri(key)} holds {len(data)} of the bytes {begin}-{end}",
            remedy="It was cut off, or replaced. Delete it: its images are then decoded anew.",
        )
    return data
