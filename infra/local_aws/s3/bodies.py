"""Object bodies as files, written whole before anything points at them, removed some time after nothing does."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections import deque
from pathlib import Path

from local_aws.disk import write_atomically

GRACE_SECONDS = 60.0
"""A reader may still hold an object that was just replaced."""


class BodyOnDisk:
    """What moto expects of an object's buffer, for reading. No file stays open: there may be many objects."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._at = 0

    def seek(self, position: int) -> None:
        self._at = position

    def read(self, size: int = -1) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self._at)
            content = file.read(size)
        self._at += len(content)
        return content

    def close(self) -> None:
        """moto lets go of an object; whether its file goes is the folder's business."""


class BodyFolder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._unused: deque[tuple[float, Path]] = deque()
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, content: bytes) -> BodyOnDisk:
        name = secrets.token_hex(16)
        path = self._folder / name[:2] / name
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, content)
        return BodyOnDisk(path)

    def open(self, name: str) -> BodyOnDisk:
        return BodyOnDisk(self._folder / name[:2] / name)

    def let_go(self, names: set[str]) -> None:
        """Remove these, but not yet."""
        with self._lock:
            self._unused.extend((time.monotonic(), self._folder / name[:2] / name) for name in names)
            while self._unused and self._unused[0][0] < time.monotonic() - GRACE_SECONDS:
                _, path = self._unused.popleft()
                with contextlib.suppress(OSError):
                    path.unlink()

    def keep_only(self, names: set[str]) -> None:
        """Remove what a kill left behind: bodies that nothing points at, parts of files."""
        for path in self._folder.glob("*/*"):
            if path.name not in names:
                path.unlink()
