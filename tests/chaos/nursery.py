"""Starts Python programs from a process that has imported what they have in common, other people's packages only.

A scene is six programs, and most of their first ten seconds of CPU time are the same imports. Forked from here they
run as they would from a shell: `python -m module argument…` with its own environment, session, log and folder.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import setproctitle

COMMON: Final = (
    "aiobotocore.session", "aiohttp", "alembic.migration", "asgiref.sync", "boto3", "cadwyn", "croniter",
    "cryptography.fernet", "fastapi", "httpx", "jinja2", "jsonschema", "jwt", "libcst", "msgspec",
    "opentelemetry.sdk.metrics", "opentelemetry.sdk.trace", "pathspec", "pendulum", "psutil", "pydantic", "requests",
    "rich.console", "rich.table", "sqlalchemy.dialects.sqlite", "sqlalchemy.ext.asyncio", "sqlalchemy.orm",
    "starlette", "structlog", "tenacity", "uvicorn", "werkzeug", "yaml",
)  # fmt: skip


@dataclass
class Nursery:
    process: subprocess.Popen[str]
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    @contextmanager
    def open(cls, environment: Mapping[str, str]) -> Iterator[Nursery]:
        process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            env=dict(environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            yield cls(process)
        finally:
            process.terminate()
            process.wait()

    def fork(self, argv: Sequence[str], **where: Any) -> int:
        """The new process's id. `argv`: a module and its arguments; `where`: env, log and cwd."""
        assert self.process.stdin
        assert self.process.stdout
        with self.lock:
            self.process.stdin.write(json.dumps({"argv": list(argv), **where}) + "\n")
            self.process.stdin.flush()
            return int(self.process.stdout.readline())


def _serve() -> None:
    for name in COMMON:
        with suppress(ImportError):  # one that a later Airflow does without costs time and nothing else
            importlib.import_module(name)
    setproctitle.getproctitle()  # it finds the place of the title only before the environment is another
    if threading.active_count() > 1:
        raise RuntimeError(f"a process with threads cannot be forked: {threading.enumerate()}")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the children are nobody's to wait for
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(order)
        print(pid, flush=True)


def _become(order: dict[str, Any]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.chdir(order["cwd"])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(ours, theirs)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - what was read ahead is the parent's
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    sys.path[:0] = [path for path in order["env"].get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.argv = order["argv"]
    code = 0
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as an interpreter would
        sys.excepthook(*sys.exc_info())
        code = 1
    finally:
        _leave(code)


def _leave(code: int) -> None:
    """As an interpreter does at its end: threads and exit handlers, yet without the parent's loop."""
    with suppress(Exception):
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve()
