"""Long-running processes of the stack: started in sessions of their own, remembered by pid and start time."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from local_stack.config import StackConfig


class StackError(Exception):
    """Something of the stack did not start; the message names its log."""


def start(config: StackConfig, name: str, command: list[str], env: dict[str, str]) -> None:
    """Start `command` as `name`, unless it is running. Its output goes to `logs/<name>.log`."""
    if find(config, name):
        return
    with (config.logs / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=config.state
        )
    remember(config, name, process.pid)


def remember(config: StackConfig, name: str, pid: int) -> None:
    """That this process is `name`, whoever started it."""
    record = {"pid": pid, "created": psutil.Process(pid).create_time()}
    _record(config, name).write_text(json.dumps(record))


def find(config: StackConfig, name: str) -> psutil.Process | None:
    """The running process of that name; a pid that now belongs to another program is not it."""
    try:
        saved = json.loads(_record(config, name).read_text())
        process = psutil.Process(saved["pid"])
        alive = process.create_time() == saved["created"] and process.status() != psutil.STATUS_ZOMBIE
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None
    return process if alive else None


def wait_until(config: StackConfig, name: str, ready: Callable[[], bool], *, seconds: float) -> None:
    """Raises StackError with the end of the log if the process dies or is not ready in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ready():
            return
        if not find(config, name):
            raise StackError(f"{name} ended while starting:\n{log_tail(config, name)}")
        time.sleep(0.3)
    raise StackError(f"{name} was not ready after {seconds:.0f} s:\n{log_tail(config, name)}")


def stop(config: StackConfig, name: str, *, seconds: float = 20) -> None:
    """Ask the process and its children to end, then make them. Safe to call twice."""
    process = find(config, name)
    if process:
        family = [*process.children(recursive=True), process]
        for member in family:
            _signal(member, kill=False)
        _, left = psutil.wait_procs(family, timeout=seconds)
        for member in left:
            _signal(member, kill=True)
    _record(config, name).unlink(missing_ok=True)


def log_tail(config: StackConfig, name: str, lines: int = 30) -> str:
    path = config.logs / f"{name}.log"
    text = path.read_text(errors="replace") if path.exists() else ""
    return "\n".join(text.splitlines()[-lines:]) + f"\n(whole log: {path})"


def _record(config: StackConfig, name: str) -> Path:
    return config.state / f"{name}.pid.json"


def _signal(process: psutil.Process, *, kill: bool) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill() if kill else process.terminate()
