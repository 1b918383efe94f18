"""Tells S3, a few times a minute, how far a step is."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

from dermaflow_jobs.contract.progress import Progress
from dermaflow_jobs.runtime.errors import StorageError
from dermaflow_jobs.runtime.s3 import Store

log = logging.getLogger(__name__)


class ProgressReporter:
    """Overwrites the step's progress object at most every `every_s` seconds. Losing one is not an error."""

    def __init__(self, store: Store, run_key: str, step: str, *, every_s: float = 3.0) -> None:
        self._store, self._step, self._every_s = store, step, every_s
        self._key = store.layout.step_progress(run_key, step)
        self._phase, self._phase_began, self._last = "", time.monotonic(), float("-inf")

    def report(self, phase: str, done: int, total: int, unit: str, figures: dict[str, float] | None = None) -> None:
        """Rate and time left are reckoned over the phase; a new phase and its end are always written."""
        now = time.monotonic()
        is_new = phase != self._phase
        if is_new:
            self._phase, self._phase_began = phase, now
        if not is_new and done < total and now - self._last < self._every_s:
            return
        self._last = now
        seconds = now - self._phase_began
        rate = done / seconds if done and seconds > 0.5 else None
        progress = Progress(
            step=self._step,
            phase=phase,
            done=done,
            total=total,
            unit=unit,
            rate=rate,
            eta_s=(total - done) / rate if rate else None,
            figures=figures or {},
            updated_at=datetime.now(UTC),
        )
        log.info("%s", progress.line())
        try:
            self._store.put(self._key, progress)
        except StorageError as error:
            log.warning("progress not written: %s", error)
