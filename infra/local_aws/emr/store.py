"""The clusters of the account: read, changed by events, kept on disk as JSON, and waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from local_aws.disk import write_atomically
from local_aws.emr import machine
from local_aws.emr.errors import invalid_request
from local_aws.emr.records import ClusterRecord


def now() -> datetime:
    return datetime.now(UTC)


class ClusterStore:
    """One file a cluster, written before anybody sees the change. Threads wait on one condition for changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changed = threading.Condition(threading.RLock())
        folder.mkdir(parents=True, exist_ok=True)
        records = [ClusterRecord.model_validate_json(path.read_bytes()) for path in folder.glob("j-*.json")]
        self._records = {record.id: record for record in sorted(records, key=lambda each: each.timeline.created)}

    def add(self, record: ClusterRecord) -> None:
        with self._changed:
            self._keep(record)

    def find(self, cluster_id: str) -> ClusterRecord:
        """Raises EmrError as EMR does for an id it does not know."""
        with self._changed:
            record = self._records.get(cluster_id)
        if record is None:
            raise invalid_request(f"Cluster id '{cluster_id}' is not valid.")
        return record

    def newest_first(self) -> list[ClusterRecord]:
        with self._changed:
            return list(reversed(self._records.values()))

    def apply(
        self,
        cluster_id: str,
        event: machine.Event,
        *,
        check: Callable[[ClusterRecord], None] | None = None,
    ) -> ClusterRecord:
        """The record after the event. `check` may refuse by raising; nothing changes between it and the event."""
        with self._changed:
            before = self.find(cluster_id)
            if check is not None:
                check(before)
            after = machine.apply(event, before, now())
            if after != before:
                self._keep(after)
                self._changed.notify_all()
            return after

    def wait(self, cluster_id: str, until: Callable[[ClusterRecord], bool], timeout: float | None) -> ClusterRecord:
        """Until the predicate holds or the time is over, whichever is first."""
        with self._changed:
            self._changed.wait_for(lambda: until(self._records[cluster_id]), timeout)
            return self._records[cluster_id]

    def _keep(self, record: ClusterRecord) -> None:
        write_atomically(self._folder / f"{record.id}.json", record.model_dump_json(indent=1).encode())
        self._records[record.id] = record
