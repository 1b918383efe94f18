"""Processes found by their mark, whenever they are looked for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local_aws import processes


def test_a_process_between_two_programs_is_signalled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a step that is cancelled while `env` becomes its command: the first look does not see the mark."""
    process = processes.start(
        ["sleep", "900"],
        owner=tmp_path.name,
        environment=os.environ,
        folder=tmp_path,
        stdout=tmp_path / "out",
        stderr=tmp_path / "err",
    )
    really, looks = processes.owned_by, []

    def blind_at_first(owner: str) -> Iterator[psutil.Process]:
        looks.append(owner)
        return iter(()) if len(looks) == 1 else really(owner)

    monkeypatch.setattr(processes, "owned_by", blind_at_first)
    try:
        assert processes.signal_all(tmp_path.name, signal.SIGTERM) == 1
        assert process.wait(30) == -signal.SIGTERM
    finally:
        process.kill()
        process.wait()
