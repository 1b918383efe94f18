"""What can befall a call on the wire, as microburst's rules.

A rule strikes the first calls that fit it, `times` of them; of several rules that fit, the first that is not used up.
"""

from __future__ import annotations

from typing import Any, Final

Rule = dict[str, Any]

LOST: Final = "done, but the answer is lost"
HANGS: Final = "hangs"
KINDS: Final[dict[str, Rule]] = {
    "throttled": {"error": {"code": "ThrottlingException", "status": 400, "message": "Rate exceeded"}, "times": 3},
    "fails with 500": {"error": {"code": "InternalServerError", "status": 500}, "times": 2},
    "reset": {"reset": True, "times": 2},
    LOST: {"response": {"abort_frac": 0.0}, "times": 1},
    HANGS: {"timeout_ms": 40_000, "times": 1},  # twice the clients' read time-out
}
SLOW_DOWN: Final[Rule] = {"error": {"code": "SlowDown", "status": 503}, "times": 3}
"""S3's word for throttled."""

EMR_WRITES: Final = ("RunJobFlow", "AddJobFlowSteps", "TerminateJobFlows")
"""Whose repetition could cost money: a row for each kind."""
EMR_READS: Final = (
    "ListClusters",
    "DescribeCluster",
    "ListSteps",
    "DescribeStep",
    "ListInstances",
    "ListReleaseLabels",
    "ListSupportedInstanceTypes",
)
S3_CALLS: Final[dict[str, Rule]] = {
    "ListObjectsV2": {"operation": "ListObjectsV2"},
    "GetObject": {"operation": "GetObject"},
    "PutObject": {"operation": "PutObject"},
    "PutObject of a table, if none is there": {"operation": "PutObject", "headers": {"If-None-Match": ""}},
}
S3_CALLS_WITHOUT_BODY: Final = ("HeadBucket", "HeadObject", "DeleteObject")
"""Whose answers are all head: there is no body to lose."""


def rule(service: str, operation: str, kind: str) -> Rule:
    return {"service": service, "operation": operation, **KINDS[kind]}


def in_turn(service: str, call: Rule, *, without: str | None = None) -> tuple[Rule, ...]:
    """Every kind once, one after the other."""
    kinds = KINDS | ({"throttled": SLOW_DOWN} if service == "s3" else {})
    return tuple({"service": service, **call, **kind, "times": 1} for name, kind in kinds.items() if name != without)


def slow(seconds: float, service: str, operation: str | None = None, *, times: int | None = None) -> Rule:
    """Holds a task where it makes this call, so that it can be killed there."""
    call = {"operation": operation} if operation else {}
    limit = {"times": times} if times else {}
    return {"service": service, **call, **limit, "latency": {"min": seconds * 1000, "max": seconds * 1000}}
