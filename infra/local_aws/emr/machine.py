# ruff: noqa: ARG001 - what is done on an event has one signature
"""The state machines of clusters, steps and instances, without time, threads or processes of their own.

`apply` takes a record and an event and gives the next record; `startable` says which steps may start now. A move
that the tables below do not hold raises IllegalMoveError: it would be a bug of the stand-in, never of its user.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import singledispatch

from local_aws.emr.records import (
    ACTIVE_STEP,
    GOING_OR_GONE,
    LIVE_STEP,
    BootstrapAction,
    ClusterRecord,
    ClusterState,
    ErrorDetail,
    Failure,
    InstanceRecord,
    InstanceState,
    Reason,
    StepRecord,
    StepState,
)

_C, _S = ClusterState, StepState

CLUSTER_MOVES: dict[ClusterState, frozenset[ClusterState]] = {
    _C.STARTING: frozenset({_C.BOOTSTRAPPING, _C.TERMINATING, _C.TERMINATED_WITH_ERRORS}),
    _C.BOOTSTRAPPING: frozenset({_C.RUNNING, _C.WAITING, _C.TERMINATING, _C.TERMINATED_WITH_ERRORS}),
    _C.RUNNING: frozenset({_C.WAITING, _C.TERMINATING, _C.TERMINATED_WITH_ERRORS}),
    _C.WAITING: frozenset({_C.RUNNING, _C.TERMINATING, _C.TERMINATED_WITH_ERRORS}),
    _C.TERMINATING: frozenset({_C.TERMINATED, _C.TERMINATED_WITH_ERRORS}),
    _C.TERMINATED: frozenset(),
    _C.TERMINATED_WITH_ERRORS: frozenset(),
}
STEP_MOVES: dict[StepState, frozenset[StepState]] = {
    _S.PENDING: frozenset({_S.RUNNING, _S.CANCELLED}),
    _S.RUNNING: frozenset({_S.CANCEL_PENDING, _S.COMPLETED, _S.FAILED, _S.INTERRUPTED}),
    _S.CANCEL_PENDING: frozenset({_S.CANCELLED, _S.COMPLETED, _S.INTERRUPTED}),
    _S.COMPLETED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.FAILED: frozenset(),
    _S.INTERRUPTED: frozenset(),
}


class IllegalMoveError(Exception):
    def __init__(self, what: str, *, before: str, after: str) -> None:
        super().__init__(f"{what}: {before} does not lead to {after}")


@dataclass(frozen=True)
class Provisioned:
    """EC2 gave the instances."""


@dataclass(frozen=True)
class Bootstrapped:
    """Every bootstrap action ended with 0 on every node."""


@dataclass(frozen=True)
class BootstrapFailed:
    instance_id: str
    role: str
    number: int
    action: BootstrapAction
    fetched: bool
    """False: the script could not be read, so nothing ran."""
    log_folder: str | None


@dataclass(frozen=True)
class StepsAdded:
    steps: tuple[StepRecord, ...]


@dataclass(frozen=True)
class StepStarted:
    step_id: str


@dataclass(frozen=True)
class StepEnded:
    """`failure` is None where the step's process ended with 0."""

    step_id: str
    failure: Failure | None


@dataclass(frozen=True)
class CancelAsked:
    step_ids: frozenset[str]
    option: str


@dataclass(frozen=True)
class TerminateAsked:
    """TerminateJobFlows, after termination protection was looked at."""


@dataclass(frozen=True)
class IdleTooLong:
    """The auto-termination policy's time-out has passed."""


@dataclass(frozen=True)
class Torn:
    """Processes are gone and the instances given back."""


@dataclass(frozen=True)
class Lost:
    """The stand-in died while the cluster was alive; nobody knows what its processes had done."""


@dataclass(frozen=True)
class Broken:
    """The stand-in itself failed: its bug, or this machine's trouble."""

    message: str


@dataclass(frozen=True)
class Changed:
    """A setting: any of the record's fields that have no state machine."""

    fields: dict[str, object]


Event = (
    Provisioned
    | Bootstrapped
    | BootstrapFailed
    | StepsAdded
    | StepStarted
    | StepEnded
    | CancelAsked
    | TerminateAsked
    | IdleTooLong
    | Torn
    | Lost
    | Broken
    | Changed
)


def startable(cluster: ClusterRecord) -> tuple[StepRecord, ...]:
    """Pending steps, oldest first, that StepConcurrencyLevel has room for."""
    if cluster.state not in {_C.RUNNING, _C.WAITING}:
        return ()
    room = cluster.step_concurrency - sum(step.state in LIVE_STEP for step in cluster.steps)
    return tuple(step for step in cluster.steps if step.state is _S.PENDING)[: max(room, 0)]


def idle_deadline(cluster: ClusterRecord) -> datetime | None:
    """When the auto-termination policy ends the cluster if nothing happens before."""
    if cluster.state is not _C.WAITING or cluster.idle_since is None or cluster.idle_timeout is None:
        return None
    return cluster.idle_since + timedelta(seconds=cluster.idle_timeout)


@singledispatch
def apply(event: Event, cluster: ClusterRecord, now: datetime) -> ClusterRecord:
    """The record after `event`. Events that come too late (a step ends on a cluster already gone) change nothing."""
    raise TypeError(f"not an event: {event!r}")


@apply.register
def _(event: Provisioned, cluster: ClusterRecord, now: datetime) -> ClusterRecord:
    if cluster.state in GOING_OR_GONE:
        return cluster
    moved = _move(cluster, _C.BOOTSTRAPPING, Reason(message="Running bootstrap actions"))
    return _instances(moved, InstanceState.BOOTSTRAPPING)


@apply.register
def _(event: Bootstrapped, cluster: ClusterRecord, now: datetime) -> ClusterRecord:
    if cluster.state in GOING_OR_GONE:
        return cluster
    running = _instances(cluster, InstanceState.RUNNING, ready=now)
    timeline = running.timeline.model_copy(update={"ready": now})
    return _settle(running.model_copy(update={"timeline": timeline}), now)


@apply.register
def _(event: BootstrapFailed, cluster: ClusterRecord, now: datetime) -> ClusterRecord:
    if cluster.state in GOING_OR_GONE:
        return cluster
    place = "master" if event.role == "MASTER" else "slave"
    what = "returned a non-zero return code" if event.fetched else f"could not be downloaded from {event.action.path}"
    message = f"On the {place} instance ({event.instance_id}), bootstrap action {event.number} {what}"
    node = "PRIMARY" if event.role == "MASTER" else "WORKER"
    kind = "WITH_NON_ZERO_CODE" if event.fetched else "DOWNLOAD_FAILED"
    detail = ErrorDetail(
        code=f"BOOTSTRAP_FAILURE_BA_{kind}_{node}",
        message=message,
        data={
            "instance-id": event.instance_id,
            "bootstrap-action": str(event.number),
            "bootstrap-action-name": event.action.name,
            **({"log-folder": event.log_folder} if event.log_folder else {}),
        },
    )
    with_detail = cluster.model_copy(update={"error_details": (detail,)})
    return _terminating(with_detail, Reason(code="BOOTSTRAP_FAILURE", message=message), now, errors=True)


@apply.register
def _(event: StepsAdded, cluster: ClusterRecord, now: datetime) -> ClusterRecord:
    return cluster.model_copy(update={"steps": cluster.steps + event.steps, "idle_since": None})


@apply.register
def _(event: StepStarted, cluster: ClusterRecord, now: datetime) -> ClusterRecord:
    if cluster.state in GOING_OR_GONE:
        return cluster
    moved = _move_step(cluster, event.step_id, _S.RUNNING, started=now)
    return moved if moved.state is _C.RUNNING else _move(moved, _C.RUNNING, Reason(message="Running step"))


@apply.register
def _(event: StepEnded, cluster: ClusterRecord, now: datetime) -> ClusterRecord:
    step = cluster.step(event.step_id)
    if step is None or step.state not in LIVE_STEP:
        return cluster
    if event.failure is None:
        return _settle(_move_step(cluster, step.id, _S.COMPLETED, ended=now), now)
    if step.state is _S.CANCEL_PENDING:
        cancelled = _move_step(cluster, step.id, _S.CANCELLED, ended=now, reason=Reason(message="Cancelled by user"))
        return _settle(cancelled, now)
    return _after_failure(_move_step(cluster, step.id, _S.FAILED, ended=now, failure=event.failure), step, now)


@apply.register
def _(event: CancelAsked, cluster: ClusterRecord, now: datetime) -> ClusterRecord:
    for step in cluster.steps:
        if step.id not in event.step_ids:
            continue
        if step.state is _S.PENDING:
            cluster = _move_step(cluster, step.id, _S.CANCELLED, ended=now, reason=Reason(message="Cancelled by user"))
        elif step.state is _S.RUNNING:
            cluster = _move_step(cluster, step.id, _S.CANCEL_PENDING, cancel_option=event.option)
    return _settle(cluster, now)


@apply.register
def _(event: TerminateAsked, cluster: ClusterRecord, now: datetime) -> ClusterRecord:
    if cluster.state in GOING_OR_GONE:
        return cluster
    return _terminating(cluster, Reason(code="USER_REQUEST", message="Terminated by user request"), now)


@apply.register
def _(event: IdleTooLong, cluster: ClusterRecord, now: datetime) -> ClusterRecord:
    if cluster.state is not _C.WAITING:
        return cluster
    message = f"Auto-terminated: the cluster was idle for {cluster.idle_timeout} seconds"
    return _terminating(cluster, Reason(code="ALL_STEPS_COMPLETED", message=message), now)


@apply.register
def _(event: Torn, cluster: ClusterRecord, now: datetime) -> ClusterRecord:
    return _end(cluster, cluster.final_state, cluster.reason, now)


@apply.register
def _(event: Lost, cluster: ClusterRecord, now: datetime) -> ClusterRecord:
    message = "The stand-in for EMR was restarted; the cluster's processes were ended"
    return _end(
        _drop_steps(cluster, now, Reason(message="Job terminated")),
        _C.TERMINATED_WITH_ERRORS,
        Reason(code="INTERNAL_ERROR", message=message),
        now,
    )


@apply.register
def _(event: Broken, cluster: ClusterRecord, now: datetime) -> ClusterRecord:
    if cluster.state in GOING_OR_GONE:
        return cluster
    return _terminating(cluster, Reason(code="INTERNAL_ERROR", message=event.message), now, errors=True)


@apply.register
def _(event: Changed, cluster: ClusterRecord, now: datetime) -> ClusterRecord:
    changed = cluster.model_copy(update=event.fields)
    return _settle(changed, now) if "keep_alive" in event.fields else changed


def _after_failure(cluster: ClusterRecord, failed: StepRecord, now: datetime) -> ClusterRecord:
    if failed.action_on_failure == "CONTINUE":
        return _settle(cluster, now)
    ends_cluster = failed.action_on_failure in {"TERMINATE_CLUSTER", "TERMINATE_JOB_FLOW"}
    if ends_cluster and not cluster.termination_protected:
        return _terminating(cluster, Reason(code="STEP_FAILURE", message="Shut down as step failed"), now, errors=True)
    # CANCEL_AND_WAIT, which is also what termination protection makes of TERMINATE_CLUSTER.
    for step in cluster.steps:
        if step.state is _S.PENDING:
            cluster = _move_step(
                cluster, step.id, _S.CANCELLED, ended=now, reason=Reason(message="Cancelled as an earlier step failed")
            )
    return _settle(cluster, now)


def _settle(cluster: ClusterRecord, now: datetime) -> ClusterRecord:
    """RUNNING while there is work; else WAITING, or the end where nobody wants the cluster kept."""
    if cluster.state in {_C.STARTING, *GOING_OR_GONE} or cluster.timeline.ready is None:
        return cluster
    if any(step.state in ACTIVE_STEP for step in cluster.steps):
        running = cluster.state is _C.RUNNING
        return cluster if running else _move(cluster, _C.RUNNING, Reason(message="Running step"))
    if cluster.keep_alive:
        last = "after last step completed" if cluster.steps else "to run steps"
        reason = Reason(message=f"Cluster ready {last}.")
        waiting = cluster if cluster.state is _C.WAITING else _move(cluster, _C.WAITING, reason)
        return waiting.model_copy(update={"idle_since": waiting.idle_since or now})
    if any(step.state is _S.FAILED for step in cluster.steps):
        return _terminating(
            cluster, Reason(code="STEP_FAILURE", message="Steps completed with errors"), now, errors=True
        )
    return _terminating(cluster, Reason(code="ALL_STEPS_COMPLETED", message="Steps completed"), now)


def _terminating(cluster: ClusterRecord, reason: Reason, now: datetime, *, errors: bool = False) -> ClusterRecord:
    final = _C.TERMINATED_WITH_ERRORS if errors else _C.TERMINATED
    moved = _move(cluster, _C.TERMINATING, reason).model_copy(update={"final_state": final, "idle_since": None})
    return _drop_steps(moved, now, Reason(message="Job terminated"))


def _drop_steps(cluster: ClusterRecord, now: datetime, reason: Reason) -> ClusterRecord:
    for step in cluster.steps:
        if step.state is _S.PENDING:
            cluster = _move_step(cluster, step.id, _S.CANCELLED, ended=now, reason=reason)
        elif step.state in LIVE_STEP:
            cluster = _move_step(cluster, step.id, _S.INTERRUPTED, ended=now, reason=reason)
    return cluster


def _end(cluster: ClusterRecord, state: ClusterState, reason: Reason, now: datetime) -> ClusterRecord:
    gone = _instances(cluster, InstanceState.TERMINATED, ended=now)
    timeline = gone.timeline.model_copy(update={"ended": now})
    return _move(gone, state, reason).model_copy(update={"timeline": timeline, "idle_since": None})


def _move(cluster: ClusterRecord, state: ClusterState, reason: Reason) -> ClusterRecord:
    if state not in CLUSTER_MOVES[cluster.state]:
        raise IllegalMoveError(cluster.id, before=cluster.state, after=state)
    return cluster.model_copy(update={"state": state, "reason": reason})


def _move_step(
    cluster: ClusterRecord,
    step_id: str,
    state: StepState,
    *,
    started: datetime | None = None,
    ended: datetime | None = None,
    **fields: object,
) -> ClusterRecord:
    def moved(step: StepRecord) -> StepRecord:
        if step.id != step_id:
            return step
        if state not in STEP_MOVES[step.state]:
            raise IllegalMoveError(step.id, before=step.state, after=state)
        times = {"ready": started or step.timeline.ready, "ended": ended}
        return step.model_copy(
            update={"state": state, "timeline": step.timeline.model_copy(update=times), **fields},
        )

    return cluster.model_copy(update={"steps": tuple(moved(step) for step in cluster.steps)})


def _instances(
    cluster: ClusterRecord, state: InstanceState, *, ready: datetime | None = None, ended: datetime | None = None
) -> ClusterRecord:
    def moved(node: InstanceRecord) -> InstanceRecord:
        if node.state is InstanceState.TERMINATED:
            return node
        times = {"ready": ready or node.timeline.ready, "ended": ended}
        reason = Reason(code="CLUSTER_TERMINATED", message="Job flow terminated") if ended else node.reason
        timeline = node.timeline.model_copy(update=times)
        return node.model_copy(update={"state": state, "timeline": timeline, "reason": reason})

    return cluster.model_copy(update={"instances": tuple(moved(node) for node in cluster.instances)})
