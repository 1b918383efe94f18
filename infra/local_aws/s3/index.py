"""The index of what is kept: one row a version of an object, one a bucket. SQLite: a change is whole or not there."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bucket (name TEXT PRIMARY KEY, account TEXT NOT NULL, configuration BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS version (
    bucket TEXT NOT NULL, key TEXT NOT NULL, position INTEGER NOT NULL, record TEXT NOT NULL, body TEXT,
    PRIMARY KEY (bucket, key, position)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Row:
    """A version: its record (see `records.py`) and the name of its body's file, if it has one."""

    record: str
    body: str | None


class Index:
    """Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        # A killed process loses nothing that was committed; only a power cut could, and this is no data store.
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.executescript(_SCHEMA)

    def put_bucket(self, name: str, account: str, configuration: bytes) -> None:
        with self._lock:
            self._database.execute("INSERT OR REPLACE INTO bucket VALUES (?, ?, ?)", (name, account, configuration))

    def drop_bucket(self, name: str) -> None:
        with self._lock:
            self._database.execute("DELETE FROM bucket WHERE name = ?", (name,))

    def put_versions(self, bucket: str, key: str, rows: list[Row]) -> set[str]:
        """Make these, oldest first, the key's versions. Gives the names of bodies that nothing points at any more."""
        with self._lock:
            where = (bucket, key)
            old = self._database.execute("SELECT body FROM version WHERE bucket = ? AND key = ?", where)
            before = {body for (body,) in old if body is not None}
            self._database.execute("BEGIN")
            self._database.execute("DELETE FROM version WHERE bucket = ? AND key = ?", where)
            self._database.executemany(
                "INSERT INTO version VALUES (?, ?, ?, ?, ?)",
                [(bucket, key, position, row.record, row.body) for position, row in enumerate(rows)],
            )
            self._database.execute("COMMIT")
        return before - {row.body for row in rows}

    def buckets(self) -> list[tuple[str, str, bytes]]:
        with self._lock:
            return self._database.execute("SELECT name, account, configuration FROM bucket").fetchall()

    def versions(self) -> Iterator[tuple[str, str, Row]]:
        with self._lock:
            rows = self._database.execute(
                "SELECT bucket, key, record, body FROM version ORDER BY bucket, key, position"
            ).fetchall()
        for bucket, key, record, body in rows:
            yield bucket, key, Row(record, body)
