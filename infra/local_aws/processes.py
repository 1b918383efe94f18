"""Processes of a node: started in a session of their own, found again by a mark in their environment, ended whole.

The mark outlives the stand-in, process groups and `setsid`: PySpark's worker daemon, for one, leaves its parent's
process group. So what a killed stand-in left running is found at its next start.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

MARK = "LOCAL_AWS_OWNER"
EXEC_SECONDS = 0.02
"""While a process becomes another program (`env bash -c …` twice) it shows no environment, so no mark."""


def start(
    command: Sequence[str], *, owner: str, environment: Mapping[str, str], folder: Path, stdout: Path, stderr: Path
) -> subprocess.Popen[bytes]:
    """Raises OSError where the program cannot be started."""
    with stdout.open("wb") as out, stderr.open("wb") as err:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, MARK: owner},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )


def owned_by(owner: str) -> Iterator[psutil.Process]:
    """Every live process whose mark is `owner` or lies below it (`j-1` owns `j-1/s-2`)."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            mark = process.environ().get(MARK, "")
            if (mark == owner or mark.startswith(f"{owner}/")) and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def signal_all(owner: str, signum: signal.Signals) -> int:
    """How many processes were there to be signalled. Looks twice before it says none."""
    found = list(owned_by(owner))
    if not found:
        time.sleep(EXEC_SECONDS)
        found = list(owned_by(owner))
    for process in found:
        with contextlib.suppress(psutil.Error, OSError):
            process.send_signal(signum)
    return len(found)


def end_all(owner: str) -> None:
    """SIGKILL until nothing is left: a process may fork while the list is read."""
    for _ in range(50):
        if not signal_all(owner, signal.SIGKILL):
            return
        time.sleep(0.02)
