"""An executor is killed while it decodes: the step goes on, and its dataset is the same."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest
from pictures import jpeg, photo, saved
from runs import Outcome, outcome, run, spec_uri, upload

from bench.processes import descendants
from dermaflow_jobs.contract.options import DEFAULT_CLASSES
from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.runtime.s3 import Store, s3_client

DRIVER = Path(__file__).parent / "driver_on_a_cluster.py"
COPIES = 24
EXECUTOR = b"CoarseGrainedExecutorBackend"


def files() -> dict[str, bytes]:
    """Some images, and one more that takes long, so often that there are several chunks of it.

    It shows none of the others' photographs: which of two came first is told by the second, and names their group.
    """
    slow = saved(photo(77, (800, 600)).resize((3200, 2400)), "JPEG", quality=90, progressive=True)
    copies = {f"nevus/copy {number:03d}.jpg": slow for number in range(COPIES)}
    some = {f"{label}/{n}.jpg": jpeg(100 * at + n) for at, label in enumerate(DEFAULT_CLASSES) for n in range(8)}
    return copies | some


def executors(driver: int) -> list[int]:
    def command(pid: int) -> bytes:
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return b""

    return [pid for pid in descendants(driver) if EXECUTOR in command(pid)]


def packs(store: Store) -> int:
    return sum(one["Key"].endswith(".pack") for one in store.list(f"{store.layout.prefix}cache/decoded/"))


def listed(store: Store) -> list[tuple[str, int, str]]:
    return [(one["Key"], one["Size"], one["ETag"]) for one in store.list(store.layout.raw_prefix())]


def contents(found: Outcome) -> list[tuple[str, str, int, str]]:
    """What the shards hold, whatever the dataset's name."""
    return [(one.split, one.label, one.records, one.sha256) for one in found.manifest.shards]


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("local_spark")
def test_an_executor_that_is_killed_costs_its_work_and_nothing_else(empty_store: Store, tmp_path: Path) -> None:
    """SIGKILL in the middle of decoding: what it held is decoded elsewhere; not a byte of the dataset differs."""
    undisturbed = Store(Layout(f"test-{uuid4().hex[:12]}", empty_store.layout.prefix))
    s3_client().create_bucket(Bucket=undisturbed.layout.bucket)
    for store in (undisturbed, empty_store):
        upload(store, files())
    expected = run(undisturbed, "r1")
    log = tmp_path / "driver.log"
    with log.open("wb") as out:
        command = [sys.executable, str(DRIVER), "--run-spec", spec_uri(empty_store, "r1")]
        driver = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            while not packs(empty_store) and driver.poll() is None:
                time.sleep(0.05)
            killed, *others = executors(driver.pid)
            os.kill(killed, signal.SIGKILL)
            done_by_then = packs(empty_store)
            assert driver.wait(600) == 0, log.read_text()[-3000:]
        finally:
            driver.kill()
    assert others, "the other one goes on"
    assert re.search(r"(?i)lost executor|executor lost|exited unexpectedly", log.read_text())
    assert done_by_then < packs(empty_store), "the kill came too late to mean anything"
    found = outcome(empty_store, "r1")
    assert listed(empty_store) == listed(undisturbed)
    assert (found.quarantine, found.images) == (expected.quarantine, expected.images)
    assert contents(found) == contents(expected)
    assert found.manifest.fingerprint == expected.manifest.fingerprint
    assert len(found.duplicates) == COPIES - 1
    assert found.manifest.listed == len(files())
