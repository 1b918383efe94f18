"""Clients for AWS from Airflow's connection, and what an error of theirs means for the next move."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

from airflow.providers.amazon.aws.hooks.emr import EmrHook
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, ResponseStreamingError
from botocore.parsers import ResponseParserError

PATIENT: Final[dict[str, Any]] = {
    "retries": {"mode": "adaptive", "max_attempts": 8},
    "connect_timeout": 5,
    "read_timeout": 20,
    "max_pool_connections": 20,  # the ledger's records are read by 16 threads
}
"""For calls that may be repeated: botocore backs off with jitter and slows down when throttled."""
PROMPT: Final[dict[str, Any]] = {
    "retries": {"mode": "standard", "total_max_attempts": 2},
    "connect_timeout": 2,
    "read_timeout": 10,
}
"""For a page that somebody waits for: better to say soon that AWS does not answer."""
IN_PASSING: Final[dict[str, Any]] = {
    "retries": {"mode": "standard", "total_max_attempts": 2},
    "connect_timeout": 3,
    "read_timeout": 10,
}
"""For what is good to know, and not worth waiting for."""
ONCE: Final = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=5, read_timeout=20)
"""For calls that must not be repeated blindly: botocore would send RunJobFlow again after a lost answer."""

THROTTLES: Final = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException",
     "SlowDown", "RequestThrottled", "RequestThrottledException", "PriorRequestNotComplete"}
)  # fmt: skip
MISSING: Final = frozenset({"404", "NoSuchKey", "NotFound"})
CONFLICTS: Final = frozenset({"412", "409", "PreconditionFailed", "ConditionalRequestConflict"})


def emr_hook(aws_conn_id: str | None, region_name: str | None) -> EmrHook:
    return EmrHook(emr_conn_id=None, aws_conn_id=aws_conn_id, region_name=region_name, config=PATIENT)


def s3_hook(aws_conn_id: str | None, region_name: str | None, config: dict[str, Any] = PATIENT) -> S3Hook:
    return S3Hook(aws_conn_id=aws_conn_id, region_name=region_name, config=config)


def once_client(hook: EmrHook) -> Any:
    """An EMR client that sends each request exactly once."""
    return hook.get_client_type(region_name=hook.region_name, config=hook.config.merge(ONCE))


def code_of(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def is_throttle(error: Exception) -> bool:
    """AWS says that it did nothing and wants to be asked later."""
    return code_of(error) in THROTTLES


def is_passing(error: Exception) -> bool:
    """It may go better in a moment: throttled, an error of the server's, or no answer at all.

    Except when throttled nobody knows whether the request was carried out.
    """
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return is_throttle(error) or status >= 500 or code_of(error) in {"InternalFailure", "InternalServerException"}
    return isinstance(error, HTTPClientError | ResponseStreamingError | ResponseParserError | OSError)


def backoff(*, first_s: float, most_s: float, tries: int) -> Iterator[float]:
    """Seconds to wait after each failed try but the last; doubles, with full jitter above half."""
    for attempt in range(tries - 1):
        ceiling = min(most_s, first_s * 2**attempt)
        yield random.uniform(ceiling / 2, ceiling)  # noqa: S311 - spreads retries, nothing secret
