"""The state machines by themselves: no clock, no process, no HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stand_in import job_flow

from local_aws.emr import machine
from local_aws.emr.records import (
    ACTIVE_STEP,
    LIVE_STEP,
    BootstrapAction,
    ClusterRecord,
    ClusterState,
    Failure,
    StepRecord,
    StepState,
    Timeline,
)
from local_aws.emr.requests import Caller, cluster_of

START = datetime(2026, 11, 1, tzinfo=UTC)
FAILURE = Failure(reason="Unknown Error.", message="boom")
BOOTSTRAP = machine.BootstrapFailed("i-1", "CORE", 2, BootstrapAction(name="b", path="s3://b/k"), True, None)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def step(name: str, action: str = "CONTINUE") -> StepRecord:
    return StepRecord(
        id=name,
        name=name,
        jar="command-runner.jar",
        args=("true",),
        action_on_failure=action,
        timeline=Timeline(created=START),
    )


def waiting(*events: machine.Event, **fields: object) -> ClusterRecord:
    """A cluster whose bootstrap is done, after some more events."""
    cluster = cluster_of(job_flow(), Caller("123456789012", "us-east-1"), START).model_copy(update=fields)
    for event in (machine.Provisioned(), machine.Bootstrapped(), *events):
        cluster = machine.apply(event, cluster, START)
    return cluster


def states(cluster: ClusterRecord) -> dict[str, str]:
    return {each.id: each.state.value for each in cluster.steps}


def test_a_cluster_without_steps_waits_and_is_idle_from_then_on() -> None:
    """The idle limit counts from the moment there was nothing to do."""
    cluster = waiting(idle_timeout=60)
    assert cluster.state is ClusterState.WAITING
    assert machine.idle_deadline(cluster) == at(60)
    busy = machine.apply(machine.StepsAdded((step("a"),)), cluster, at(5))
    assert machine.idle_deadline(busy) is None


def test_steps_start_in_order_and_no_more_at_once_than_allowed() -> None:
    """With StepConcurrencyLevel 2, the third step waits for one of the first two."""
    cluster = waiting(machine.StepsAdded((step("a"), step("b"), step("c"))), step_concurrency=2)
    assert [each.id for each in machine.startable(cluster)] == ["a", "b"]
    for name in "ab":
        cluster = machine.apply(machine.StepStarted(name), cluster, at(1))
    assert machine.startable(cluster) == ()
    cluster = machine.apply(machine.StepEnded("a", None), cluster, at(2))
    assert [each.id for each in machine.startable(cluster)] == ["c"]


@pytest.mark.parametrize(
    ("action", "protected", "others", "state", "code"),
    [
        ("CONTINUE", False, "PENDING", ClusterState.RUNNING, ""),
        ("CANCEL_AND_WAIT", False, "CANCELLED", ClusterState.WAITING, ""),
        ("TERMINATE_CLUSTER", False, "CANCELLED", ClusterState.TERMINATING, "STEP_FAILURE"),
        ("TERMINATE_JOB_FLOW", False, "CANCELLED", ClusterState.TERMINATING, "STEP_FAILURE"),
        ("TERMINATE_CLUSTER", True, "CANCELLED", ClusterState.WAITING, ""),
    ],
)
def test_action_on_failure(action: str, protected: bool, others: str, state: ClusterState, code: str) -> None:
    """Goes on, cancels the rest and waits, or ends the cluster, which termination protection prevents."""
    cluster = waiting(
        machine.StepsAdded((step("a", action), step("b"))), machine.StepStarted("a"), termination_protected=protected
    )
    after = machine.apply(machine.StepEnded("a", FAILURE), cluster, at(1))
    assert states(after) == {"a": "FAILED", "b": others}
    assert (after.state, after.reason.code) == (state, code)


def test_a_cluster_nobody_keeps_ends_with_its_last_step_and_with_errors_if_one_failed() -> None:
    """KeepJobFlowAliveWhenNoSteps false."""
    begun = (machine.StepsAdded((step("a"),)), machine.StepStarted("a"))
    start = cluster_of(job_flow(Steps=[]), Caller("1", "us-east-1"), START)
    ended = {}
    for failure in (None, FAILURE):
        cluster = start.model_copy(update={"keep_alive": False})
        for event in (begun[0], machine.Provisioned(), machine.Bootstrapped(), begun[1]):
            cluster = machine.apply(event, cluster, START)
        cluster = machine.apply(machine.StepEnded("a", failure), cluster, at(1))
        ended[failure is None] = machine.apply(machine.Torn(), cluster, at(2))
    assert ended[True].state is ClusterState.TERMINATED
    assert ended[True].reason.code == "ALL_STEPS_COMPLETED"
    assert ended[False].state is ClusterState.TERMINATED_WITH_ERRORS
    assert ended[True].timeline.ended == at(2)


def test_a_failed_bootstrap_ends_the_cluster_with_the_node_and_number_named() -> None:
    """As EMR words it, with the details in ErrorDetails."""
    cluster = machine.apply(machine.Provisioned(), waiting().model_copy(update={"state": ClusterState.STARTING}), START)
    failed = machine.apply(machine.Torn(), machine.apply(BOOTSTRAP, cluster, at(1)), at(2))
    assert failed.state is ClusterState.TERMINATED_WITH_ERRORS
    assert failed.reason.code == "BOOTSTRAP_FAILURE"
    assert failed.reason.message == "On the slave instance (i-1), bootstrap action 2 returned a non-zero return code"
    assert failed.error_details[0].data["bootstrap-action"] == "2"


def test_cancelling_takes_a_pending_step_at_once_and_a_running_one_when_it_has_gone() -> None:
    """A running step is CANCEL_PENDING until its process is gone, and COMPLETED if it made it after all."""
    cluster = waiting(machine.StepsAdded((step("a"), step("b"))), machine.StepStarted("a"))
    asked = machine.apply(machine.CancelAsked(frozenset("ab"), "SEND_INTERRUPT"), cluster, at(1))
    assert states(asked) == {"a": "CANCEL_PENDING", "b": "CANCELLED"}
    gone = machine.apply(machine.StepEnded("a", FAILURE), asked, at(2))
    assert states(gone) == {"a": "CANCELLED", "b": "CANCELLED"}
    assert gone.state is ClusterState.WAITING
    assert states(machine.apply(machine.StepEnded("a", None), asked, at(2)))["a"] == "COMPLETED"


def test_terminating_interrupts_what_runs_and_what_ends_later_changes_nothing() -> None:
    """A process that ends after the cluster was told to go does not bring its step back."""
    cluster = waiting(machine.StepsAdded((step("a"), step("b"))), machine.StepStarted("a"))
    going = machine.apply(machine.TerminateAsked(), cluster, at(1))
    assert states(going) == {"a": "INTERRUPTED", "b": "CANCELLED"}
    assert machine.apply(machine.StepEnded("a", None), going, at(2)) == going
    assert machine.apply(machine.TerminateAsked(), going, at(2)) == going


@pytest.mark.parametrize(
    "event", [machine.Provisioned(), machine.Bootstrapped(), BOOTSTRAP, machine.StepStarted("a"), machine.IdleTooLong()]
)
def test_a_cluster_that_was_ended_meanwhile_stays_so(event: machine.Event) -> None:
    """What the driver reports late is not a way back."""
    going = machine.apply(machine.TerminateAsked(), waiting(machine.StepsAdded((step("a"),))), at(1))
    assert machine.apply(event, going, at(2)) == going


def test_a_move_that_the_table_lacks_is_refused() -> None:
    """It would be a bug of the stand-in."""
    with pytest.raises(machine.IllegalMoveError, match="TERMINATED does not lead to"):
        gone = machine.apply(machine.Torn(), machine.apply(machine.TerminateAsked(), waiting(), START), START)
        machine.apply(machine.Torn(), gone, START)


EVENTS = st.one_of(
    st.sampled_from([machine.TerminateAsked(), machine.IdleTooLong()]),
    st.tuples(st.just("add"), st.sampled_from(["CONTINUE", "CANCEL_AND_WAIT", "TERMINATE_CLUSTER"])),
    st.builds(lambda level: machine.Changed({"step_concurrency": level}), st.integers(1, 3)),
    st.builds(lambda keep: machine.Changed({"keep_alive": keep}), st.booleans()),
    st.tuples(st.sampled_from(["start", "end", "fail", "cancel"]), st.integers(0, 9)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, max_size=25))
def test_whatever_happens_the_books_balance(events: list[object]) -> None:
    """No order of events is illegal; ended clusters have no live step; every ended step has an end time."""
    cluster = waiting()
    for second, event in enumerate(events):
        cluster = machine.apply(_concrete(event, cluster), cluster, at(second))
        running = any(each.state in LIVE_STEP for each in cluster.steps)
        assert not (running and cluster.state is not ClusterState.RUNNING)
        if cluster.state is ClusterState.TERMINATING:
            break
    gone = machine.apply(machine.Lost(), cluster, at(99))
    assert not [each for each in gone.steps if each.state in ACTIVE_STEP]
    assert all(each.timeline.ended for each in (*gone.steps, *gone.instances))


def _concrete(event: object, cluster: ClusterRecord) -> machine.Event:
    """What the driver or a user could really do at this point."""
    if not isinstance(event, tuple):
        return event  # type: ignore[return-value]
    what, which = event
    if what == "add":
        return machine.StepsAdded((step(f"s{len(cluster.steps)}", which),))
    pool = {
        "start": list(machine.startable(cluster)),
        "end": [each for each in cluster.steps if each.state in LIVE_STEP],
        "fail": [each for each in cluster.steps if each.state in LIVE_STEP],
        "cancel": [each for each in cluster.steps if each.state in {StepState.PENDING, StepState.RUNNING}],
    }[what]
    if not pool:
        return machine.Changed({"tags": {}})
    chosen = pool[which % len(pool)].id
    return {
        "start": machine.StepStarted(chosen),
        "end": machine.StepEnded(chosen, None),
        "fail": machine.StepEnded(chosen, FAILURE),
        "cancel": machine.CancelAsked(frozenset({chosen}), "SEND_INTERRUPT"),
    }[what]
