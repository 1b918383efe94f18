import threading
import time

import pytest

from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.preprocess.fetch import read_ahead, read_listed, read_range
from dermaflow_jobs.preprocess.reasons import Reason
from dermaflow_jobs.runtime.errors import StorageError
from dermaflow_jobs.runtime.s3 import Store, s3_client


def put(store: Store, body: bytes) -> str:
    return s3_client().put_object(Bucket=store.layout.bucket, Key="k", Body=body)["ETag"].strip('"')


def test_an_object_is_read_as_it_was_listed_or_not_at_all(empty_store: Store) -> None:
    """Bytes of another version, or of none, are a reason in the quarantine list, not an image."""
    etag = put(empty_store, b"one")
    assert read_listed(empty_store, "k", etag) == b"one"
    put(empty_store, b"two")
    assert read_listed(empty_store, "k", etag) is Reason.CHANGED
    empty_store.delete("k")
    assert read_listed(empty_store, "k", etag) is Reason.VANISHED


def test_what_is_not_the_objects_fault_is_an_error_that_names_it(s3_endpoint: str) -> None:
    """A bucket that does not exist would else make every image a quarantined one."""
    nowhere = Store(Layout("no-such-bucket", ""))
    with pytest.raises(StorageError, match="cannot read s3://no-such-bucket/k"):
        read_listed(nowhere, "k", "0" * 32)
    with pytest.raises(StorageError, match="bytes 2-5"):
        read_range(nowhere, "k", 2, 5)


def test_a_range_is_half_open(empty_store: Store) -> None:
    """As Python's slices."""
    put(empty_store, b"0123456789")
    assert read_range(empty_store, "k", 2, 5) == b"234"


def test_an_object_that_ends_early_is_an_error_and_no_shorter_record(empty_store: Store) -> None:
    """S3 answers such a range with what there is."""
    put(empty_store, b"0123")
    with pytest.raises(StorageError, match="holds 2 of the bytes 2-5"):
        read_range(empty_store, "k", 2, 5)


def test_items_come_in_order_with_reads_under_way_at_once() -> None:
    """Order is kept whatever finishes first."""
    slow_first = list(read_ahead(range(20), lambda _: 1, lambda n: time.sleep(0.02 if n % 5 == 0 else 0) or n * n))
    assert slow_first == [(n, n * n) for n in range(20)]


def test_no_more_bytes_wait_than_allowed() -> None:
    """Each item is 10 bytes, 35 may wait: at most three are read and not yet taken."""
    held, most, lock = 0, 0, threading.Lock()

    def read(_: int) -> None:
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)

    for _ in read_ahead(range(50), lambda _: 10, read, threads=8, ahead_bytes=35):
        with lock:
            held -= 1
    assert most <= 4, "three waiting and the one just taken"


def test_an_item_larger_than_the_bound_is_read_alone() -> None:
    """It would else never be read."""
    assert [n for n, _ in read_ahead([1, 2, 3], lambda _: 100, lambda n: n, ahead_bytes=10)] == [1, 2, 3]
