"""The catalogue: what is done to a run, and when.

A wire fault is a list of microburst rules that stand from before the run begins. An act is done once by the harness,
when the run has come to its moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chaos import acts

if TYPE_CHECKING:
    from chaos.scene import Scene

Rule = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    name: str
    rules: tuple[Rule, ...] = ()
    act: Callable[[Scene], None] | None = None
    must_succeed: bool = True
    """A fault that passes must not fail the run; one that destroys work may, if the run ends by itself."""
    runs: int = 1
    conf: dict[str, Any] = field(default_factory=dict)


def catalogue() -> list[Fault]:
    return [*_wire(), *_kills(), *_outside(), *_breakage()]


KINDS: dict[str, dict[str, Any]] = {
    "throttled": {"error": {"code": "ThrottlingException", "status": 400, "message": "Rate exceeded"}, "times": 3},
    "fails with 500": {"error": {"code": "InternalServerError", "status": 500}, "times": 2},
    "reset": {"reset": True, "times": 2},
    "done, but the answer is lost": {"response": {"abort_frac": 0.0}, "times": 1},
    "hangs 70 s": {"timeout_ms": 70_000, "times": 1},
}
S3_KINDS = KINDS | {"throttled": {"error": {"code": "SlowDown", "status": 503}, "times": 3}}

EMR_CALLS: dict[str, tuple[str, ...]] = {
    "RunJobFlow": ("throttled", "fails with 500", "reset", "done, but the answer is lost", "hangs 70 s"),
    "ListClusters": ("throttled", "fails with 500"),
    "DescribeCluster": ("throttled", "reset"),
    "AddJobFlowSteps": ("throttled", "fails with 500", "done, but the answer is lost"),
    "ListSteps": ("throttled", "reset"),
    "DescribeStep": ("throttled", "fails with 500", "reset"),
    "TerminateJobFlows": ("throttled", "reset", "done, but the answer is lost"),
}
S3_CALLS: dict[str, tuple[str, ...]] = {
    "PutObject": ("throttled", "fails with 500", "done, but the answer is lost"),
    "GetObject": ("throttled", "reset"),
    "HeadObject": ("fails with 500",),
    "ListObjectsV2": ("throttled", "reset"),
}


def _wire() -> Iterator[Fault]:
    for service, calls, kinds in (("emr", EMR_CALLS, KINDS), ("s3", S3_CALLS, S3_KINDS)):
        for operation, names in calls.items():
            for name in names:
                rule = {"service": service, "operation": operation, **kinds[name]}
                yield Fault(f"{service} {operation} {name}", (rule,))
    yield Fault("every AWS call takes 400 ms", ({"service": "*", "latency": {"min": 400, "max": 400}},))
    yield Fault(
        "a tenth of EMR's calls are throttled",
        ({"service": "emr", "probability": 0.1, "error": KINDS["throttled"]["error"]},),
    )


def _kills() -> Iterator[Fault]:
    slow_creation = ({"service": "emr", "operation": "RunJobFlow", "latency": {"min": 4000, "max": 4000}, "times": 1},)
    yield Fault("task killed while RunJobFlow is in flight", slow_creation, acts.kill_task("create_cluster"))
    for task in ("check_inputs", "publish_code", "create_cluster"):
        yield Fault(f"task killed in {task}", act=acts.kill_task(task))
    slow_writes = ({"service": "s3", "operation": "PutObject", "latency": {"min": 1000, "max": 1000}},)
    yield Fault("task killed in gather_metrics", slow_writes, acts.kill_task("gather_metrics"))
    for phase in ("wait_for_cluster", "preprocess", "train", "terminate_cluster"):
        yield Fault(f"triggerer killed in {phase}", act=acts.kill_component("triggerer", phase))
    for phase in ("create_cluster", "wait_for_cluster", "train", "terminate_cluster"):
        yield Fault(f"scheduler killed in {phase}", act=acts.kill_component("scheduler", phase))


def _outside() -> Iterator[Fault]:
    for phase in ("wait_for_cluster", "preprocess", "train"):
        yield Fault(
            f"cluster terminated from outside in {phase}", act=acts.terminate_cluster(phase), must_succeed=False
        )
    yield Fault("run marked failed in preprocess", act=acts.mark_failed("preprocess"), must_succeed=False)
    yield Fault("run marked failed in wait_for_cluster", act=acts.mark_failed("wait_for_cluster"), must_succeed=False)
    yield Fault("preprocess cleared while train runs", act=acts.clear("preprocess", during="train"), must_succeed=False)
    yield Fault("create_cluster cleared in preprocess", act=acts.clear("create_cluster", during="preprocess"))
    yield Fault("cluster is protected from termination", act=acts.protect("preprocess"))
    yield Fault("two runs at once", runs=2)


def _breakage() -> Iterator[Fault]:
    yield Fault("bootstrap fails", conf={"environment_root": "/proc/dermaflow"}, must_succeed=False)
    for step in ("verify", "preprocess", "train", "evaluate"):
        yield Fault(f"step {step} killed on the cluster", act=acts.kill_step(step))
    yield Fault("step preprocess cancelled from outside", act=acts.cancel_step("preprocess"))
