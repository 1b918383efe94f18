"""The report that a failing job writes to S3 itself, heard minutes before EMR has uploaded its logs."""

from __future__ import annotations

import traceback as traceback_module
from datetime import UTC, datetime
from typing import Self

from pydantic import AwareDatetime

from dermaflow_jobs.contract.base import Value

MAX_TRACEBACK = 20_000


class FailureReport(Value):
    step: str
    error: str
    """Exception class."""
    message: str
    remedy: str | None
    traceback: str
    host: str
    at: AwareDatetime

    @classmethod
    def of(cls, error: BaseException, *, step: str, host: str) -> Self:
        text = "".join(traceback_module.format_exception(error))
        return cls(
            step=step,
            error=type(error).__name__,
            message=str(error),
            remedy=getattr(error, "remedy", None),
            traceback=text[-MAX_TRACEBACK:],
            host=host,
            at=datetime.now(UTC),
        )

    def text(self) -> str:
        """For a task's log: what, where, what to do, then the traceback."""
        remedy = f"\nWhat to do: {self.remedy}" if self.remedy else ""
        return f"{self.error} on {self.host} at {self.at:%H:%M:%S}: {self.message}{remedy}\n{self.traceback}"
