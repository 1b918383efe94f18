"""The catalogue: what is done to a run, and when.

A wire fault is a list of microburst rules that stand from before the run begins. An act is done once by the harness,
when the run has come to its moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chaos import acts
from chaos.wire import (
    EMR_READS,
    EMR_WRITES,
    HANGS,
    KINDS,
    LOST,
    S3_CALLS,
    S3_CALLS_WITHOUT_BODY,
    Rule,
    in_turn,
    rule,
    slow,
)

if TYPE_CHECKING:
    from chaos.scene import Scene

STEPS = ("verify", "preprocess", "train", "evaluate")
STEP_TASKS = ("verify_environment", *STEPS[1:])


@dataclass(frozen=True)
class Fault:
    name: str
    rules: tuple[Rule, ...] = ()
    act: Callable[[Scene], None] | None = None
    must_succeed: bool = True
    """A fault that passes must not fail the run; one that destroys work may, if the run ends by itself."""
    runs: int = 1
    rivals: int = 0
    """Records that the act itself writes into the ledger."""
    conf: dict[str, Any] = field(default_factory=dict)


def catalogue() -> list[Fault]:
    return [*_wire(), *_kills(), *_outside(), *_breakage()]


def _wire() -> Iterator[Fault]:
    for operation in EMR_WRITES:
        for kind in KINDS:
            yield Fault(f"emr {operation}: {kind}", (rule("emr", operation, kind),))
    for operation in EMR_READS:
        yield Fault(f"emr {operation}: every kind in turn", in_turn("emr", {"operation": operation}))
    protection = in_turn("emr", {"operation": "SetTerminationProtection"})
    yield Fault("emr SetTerminationProtection: every kind in turn", protection, acts.protect("preprocess"))
    # Airflow gives a killed trigger 30 s ([triggerer] on_kill_timeout); a connection that hangs takes most of them.
    cancelling = in_turn("emr", {"operation": "CancelSteps"}, without=HANGS)
    yield Fault("emr CancelSteps: every kind but one in turn", cancelling, acts.clear_at_work("preprocess"))
    for name, call in S3_CALLS.items():
        yield Fault(f"s3 {name}: every kind in turn", in_turn("s3", call))
    for name in S3_CALLS_WITHOUT_BODY:
        yield Fault(f"s3 {name}: every kind but one in turn", in_turn("s3", {"operation": name}, without=LOST))
    writing = in_turn("s3", S3_CALLS["PutObject"])
    yield Fault("s3 PutObject in gather_metrics: every kind in turn", act=acts.strike("gather_metrics", writing))
    yield Fault("every AWS call takes 400 ms", (slow(0.4, "*"),))
    tenth = {"probability": 0.1, "error": KINDS["throttled"]["error"]}
    yield Fault("a tenth of EMR's calls are throttled", ({"service": "emr", **tenth},))


def _kills() -> Iterator[Fault]:
    in_flight = (slow(4, "emr", "RunJobFlow", times=1),)
    before_stored = (slow(6, "emr", "DescribeCluster", times=1),)
    yield Fault("task killed while RunJobFlow is in flight", in_flight, acts.kill_task("create_cluster"))
    yield Fault(
        "task killed before the cluster's id is stored",
        before_stored,
        acts.kill_task("create_cluster", once=acts.cluster_is_there),
    )
    yield Fault(
        "whole worker killed while RunJobFlow is in flight",
        in_flight,
        acts.kill_task("create_cluster", with_supervisor=True),
    )
    for task in ("check_inputs", "publish_code", "create_cluster", "wait_for_cluster", *STEP_TASKS):
        yield Fault(f"task killed in {task}", act=acts.kill_task(task))
    yield Fault("task killed in terminate_cluster", (slow(2, "emr", "TerminateJobFlows"),),
                acts.kill_task("terminate_cluster"))  # fmt: skip
    yield Fault("task killed in gather_metrics", (slow(1, "s3", "PutObject"),), acts.kill_task("gather_metrics"))
    yield Fault("task killed in promote", act=acts.kill_task("promote", held_by=slow(3, "s3"), after="gather_metrics"))
    for phase in ("create_cluster", "wait_for_cluster", *STEP_TASKS, "terminate_cluster"):
        yield Fault(f"triggerer killed in {phase}", act=acts.kill_component("triggerer", phase))
    for phase in ("check_inputs", "create_cluster", "wait_for_cluster", *STEP_TASKS, "terminate_cluster"):
        yield Fault(f"scheduler killed in {phase}", act=acts.kill_component("scheduler", phase))


def _outside() -> Iterator[Fault]:
    for phase in ("wait_for_cluster", *STEP_TASKS):
        yield Fault(
            f"cluster terminated from outside in {phase}", act=acts.terminate_cluster(phase), must_succeed=False
        )
    for phase in ("create_cluster", "wait_for_cluster", "preprocess", "terminate_cluster"):
        yield Fault(f"run marked failed in {phase}", act=acts.mark_failed(phase), must_succeed=False)
    yield Fault("check_inputs cleared in wait_for_cluster", act=acts.clear("check_inputs", during="wait_for_cluster"))
    yield Fault("create_cluster cleared in preprocess", act=acts.clear("create_cluster", during="preprocess"))
    yield Fault("preprocess cleared in train", act=acts.clear("preprocess", during="train"))
    yield Fault("train cleared in terminate_cluster", act=acts.clear("train", during="terminate_cluster"))
    yield Fault("cluster is protected from termination", act=acts.protect("preprocess"))
    yield Fault("two runs at once", runs=2)
    yield Fault("the ledger is written by 20 others", (slow(0.1, "s3", "PutObject"),),
                acts.race_the_ledger(20), rivals=20)  # fmt: skip


def _breakage() -> Iterator[Fault]:
    yield Fault("bootstrap fails", conf={"environment_root": "/proc/dermaflow"}, must_succeed=False)
    for step in STEPS:
        yield Fault(f"step {step} killed on the cluster", act=acts.kill_step(step))
    for step in STEPS:
        yield Fault(f"step {step} raises once", act=acts.break_step(step, times=1))
    yield Fault("step train raises whenever it runs", act=acts.break_step("train", times=99), must_succeed=False)
    yield Fault("step preprocess cancelled from outside", act=acts.cancel_step("preprocess"))
