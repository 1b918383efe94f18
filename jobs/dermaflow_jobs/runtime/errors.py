"""Errors a job ends with.

JobError            infrastructure or input that the job cannot go on with; says what to do
    StorageError    S3 refused or lacks something
"""

from __future__ import annotations


class JobError(Exception):
    """`remedy` is what the reader of the task log should do next."""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


class StorageError(JobError):
    """What was tried on which `s3://` URI, and S3's answer."""
