"""What the stand-in remembers of a cluster. Frozen values; `machine.py` alone makes a new one out of an old one."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class ClusterState(StrEnum):
    STARTING = "STARTING"
    BOOTSTRAPPING = "BOOTSTRAPPING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    TERMINATING = "TERMINATING"
    TERMINATED = "TERMINATED"
    TERMINATED_WITH_ERRORS = "TERMINATED_WITH_ERRORS"


class StepState(StrEnum):
    PENDING = "PENDING"
    CANCEL_PENDING = "CANCEL_PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    INTERRUPTED = "INTERRUPTED"


class InstanceState(StrEnum):
    PROVISIONING = "PROVISIONING"
    BOOTSTRAPPING = "BOOTSTRAPPING"
    RUNNING = "RUNNING"
    TERMINATED = "TERMINATED"


ENDED_CLUSTER = frozenset({ClusterState.TERMINATED, ClusterState.TERMINATED_WITH_ERRORS})
GOING_OR_GONE = ENDED_CLUSTER | {ClusterState.TERMINATING}
LIVE_STEP = frozenset({StepState.RUNNING, StepState.CANCEL_PENDING})
ACTIVE_STEP = LIVE_STEP | {StepState.PENDING}


class Reason(Record):
    """EMR's StateChangeReason. An empty code is left out of answers."""

    code: str = ""
    message: str = ""


class ErrorDetail(Record):
    code: str
    message: str
    data: dict[str, str] = {}


class Failure(Record):
    """EMR's FailureDetails of a step."""

    reason: str
    message: str
    log_file: str | None = None


class Timeline(Record):
    """`ready` is a step's start and an instance's or cluster's readiness."""

    created: datetime
    ready: datetime | None = None
    ended: datetime | None = None


class StepRecord(Record):
    id: str
    name: str
    jar: str
    args: tuple[str, ...] = ()
    main_class: str | None = None
    properties: dict[str, str] = {}
    action_on_failure: str = "CONTINUE"
    state: StepState = StepState.PENDING
    reason: Reason = Reason()
    failure: Failure | None = None
    cancel_option: str | None = None
    timeline: Timeline


class NodeGroup(Record):
    """An instance group or an instance fleet: `request` is its part of the RunJobFlow request."""

    id: str
    role: str
    request: dict[str, Any]


class InstanceRecord(Record):
    id: str
    ec2_id: str
    group_id: str
    role: str
    instance_type: str
    market: str
    private_ip: str
    state: InstanceState = InstanceState.PROVISIONING
    reason: Reason = Reason()
    timeline: Timeline


class BootstrapAction(Record):
    name: str
    path: str
    args: tuple[str, ...] = ()


class ClusterRecord(Record):
    id: str
    arn: str
    name: str
    request: dict[str, Any]
    """The RunJobFlow request as it came, for what is only recorded and described again."""
    service_role: str
    log_uri: str | None
    keep_alive: bool
    termination_protected: bool
    visible_to_all_users: bool
    step_concurrency: int
    idle_timeout: int | None
    """Seconds; None: no auto-termination policy."""
    managed_scaling: dict[str, Any] | None
    tags: dict[str, str]
    fleets: bool
    groups: tuple[NodeGroup, ...]
    instances: tuple[InstanceRecord, ...]
    bootstrap_actions: tuple[BootstrapAction, ...]
    steps: tuple[StepRecord, ...]
    state: ClusterState = ClusterState.STARTING
    reason: Reason = Reason()
    error_details: tuple[ErrorDetail, ...] = ()
    final_state: ClusterState = ClusterState.TERMINATED
    """What TERMINATING leads to."""
    idle_since: datetime | None = None
    timeline: Timeline

    @property
    def ended(self) -> bool:
        return self.state in ENDED_CLUSTER

    @property
    def primary(self) -> InstanceRecord:
        return next(node for node in self.instances if node.role == "MASTER")

    def step(self, step_id: str) -> StepRecord | None:
        return next((step for step in self.steps if step.id == step_id), None)

    def nodes(self, *roles: str) -> tuple[InstanceRecord, ...]:
        return tuple(node for node in self.instances if node.role in roles)
