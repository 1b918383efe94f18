"""What the harness does to a run, each at a moment it waits for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import psutil

from dermaflow.ledger import record_run
from dermaflow.storage import Storage
from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.metrics import Metrics
from dermaflow_jobs.contract.s3_layout import Layout
from local_stack import airflow, aws, processes

if TYPE_CHECKING:
    from chaos.scene import Scene
    from chaos.wire import Rule

Act = Callable[["Scene"], None]
BUSY = {"running", "deferred"}


def kill_task(
    task_id: str,
    *,
    held_by: Rule | None = None,
    after: str | None = None,
    once: Callable[[Scene], object] = lambda _scene: None,
    with_supervisor: bool = False,
) -> Act:
    """kill -9 to the process that runs the task, as soon as there is one.

    :param held_by: a rule that stands from the end of the task `after`, to keep the process where it is.
    :param once: returns when the moment has come.
    :param with_supervisor: the worker's process as well, as when the machine under it goes.
    """

    def act(scene: Scene) -> None:
        if after and held_by:
            scene.wait_for_task(after, {"success"})
            scene.add_rules([held_by])
        process = _process_of(scene, scene.wait_for_task(task_id, {"running"}))
        once(scene)
        time.sleep(0.5)  # past the imports, into the operator
        supervisor = process.parent() if with_supervisor else None
        process.kill()
        if supervisor:
            supervisor.kill()

    return act


def cluster_is_there(scene: Scene) -> None:
    scene.wait_for_cluster()


def _process_of(scene: Scene, instance_id: str) -> psutil.Process:
    title, end = f"airflow worker -- {instance_id}", time.monotonic() + 60
    while time.monotonic() < end:
        for process in _family(scene, "scheduler"):
            if title in _command_line(process):
                return process
        time.sleep(0.05)
    raise RuntimeError(f"no process titled {title!r}")


def kill_component(name: Literal["scheduler", "triggerer"], during: str) -> Act:
    """kill -9 to the component and its children; its supervisor (here: we) starts it again."""

    def act(scene: Scene) -> None:
        scene.wait_for_task(during, BUSY)
        for process in _family(scene, name):
            process.kill()
        time.sleep(2)
        processes.start(scene.config, name, [str(airflow.AIRFLOW), name], scene.airflow_environment)

    return act


def terminate_cluster(during: str) -> Act:
    """As a colleague with the console open might."""

    def act(scene: Scene) -> None:
        scene.wait_for_task(during, BUSY)
        cluster = scene.wait_for_cluster()
        aws.emr(scene.config).terminate_job_flows(JobFlowIds=[cluster])

    return act


def protect(during: str) -> Act:
    def act(scene: Scene) -> None:
        scene.wait_for_task(during, BUSY)
        cluster = scene.wait_for_cluster()
        aws.emr(scene.config).set_termination_protection(JobFlowIds=[cluster], TerminationProtected=True)

    return act


def mark_failed(during: str) -> Act:
    """The run, in Airflow's UI."""

    def act(scene: Scene) -> None:
        scene.wait_for_task(during, BUSY)
        scene.patch_run({"state": "failed"})

    return act


def clear(task_id: str, *, during: str) -> Act:
    """The task and all after it, in Airflow's UI, while another one waits."""

    def act(scene: Scene) -> None:
        scene.wait_for_task(during, BUSY)
        scene.clear(task_id, downstream=True)

    return act


def clear_at_work(step: str) -> Act:
    """The step's task alone, in Airflow's UI; the step is kept at work until the triggerer has seen to it."""

    def act(scene: Scene) -> None:
        with _at_work(scene, step):
            scene.clear(step, downstream=False)
            end = time.monotonic() + 40
            while not scene.struck() and time.monotonic() < end:
                time.sleep(0.2)

    return act


@contextmanager
def _at_work(scene: Scene, step: str) -> Iterator[None]:
    """While the step is kept at work, and the triggerer waits for it; see light_step.py."""
    layout, s3 = Layout.of(scene.root), aws.s3(scene.config)
    hold = f"{layout.prefix}chaos/hold-{step}"
    s3.put_object(Bucket=layout.bucket, Key=hold, Body=b"")
    try:
        scene.wait_for_task(step, {"deferred"})
        time.sleep(3)  # until the triggerer has it
        yield
    finally:
        s3.delete_object(Bucket=layout.bucket, Key=hold)


def strike(task_id: str, rules: Sequence[Rule]) -> Act:
    """Rules that stand from when the task has begun."""

    def act(scene: Scene) -> None:
        scene.wait_for_task(task_id, {"running"})
        scene.add_rules(rules)

    return act


def kill_step(step: str) -> Act:
    """kill -9 to the step's driver on the cluster."""

    def act(scene: Scene) -> None:
        end = time.monotonic() + 400
        while time.monotonic() < end:
            for process in _family(scene, "local-aws"):
                words = _command_line(process).split()
                if any(word.endswith("launch.py") for word in words) and step in words:
                    process.kill()
                    return
            time.sleep(0.1)
        raise RuntimeError(f"no driver of step {step} was seen")

    return act


def break_step(step: str, *, times: int) -> Act:
    """The step's next runs raise; see light_step.py, which looks for these objects."""

    def act(scene: Scene) -> None:
        layout = Layout.of(scene.root)
        for number in range(times):
            key = f"{layout.prefix}chaos/break-{step}/{number}"
            aws.s3(scene.config).put_object(Bucket=layout.bucket, Key=key, Body=b"")

    return act


def race_the_ledger(writers: int) -> Act:
    """While the run records itself, others do: the same metrics under other names, each writer with a client."""

    def act(scene: Scene) -> None:
        layout = Layout.of(scene.root)
        scene.wait_for_task("gather_metrics", {"running"})
        run_key = scene.run_keys[0]
        body = aws.s3(scene.config).get_object(Bucket=layout.bucket, Key=layout.metrics(run_key))["Body"].read()
        metrics = Metrics.parse(body)
        stores = [Storage(layout, aws.s3(scene.config)) for _ in range(writers)]
        with ThreadPoolExecutor(writers) as pool:
            list(pool.map(record_run, stores, (rival(metrics, number) for number in range(writers))))

    return act


def rival_key(number: int) -> str:
    return f"rival-{number:02}"


def rival(metrics: Metrics, number: int) -> LedgerRecord:
    run_key = rival_key(number)
    return LedgerRecord(
        run_key=run_key,
        run_id=run_key,
        logical_date=None,
        recorded_at=metrics.created_at,
        code_id="0" * 64,
        cluster_id=None,
        metrics=metrics.model_copy(update={"run_key": run_key}),
    )


def cancel_step(step: str) -> Act:
    def act(scene: Scene) -> None:
        with _at_work(scene, step):
            cluster, client = scene.wait_for_cluster(), aws.emr(scene.config)
            running = client.list_steps(ClusterId=cluster, StepStates=["PENDING", "RUNNING"])["Steps"]
            client.cancel_steps(
                ClusterId=cluster, StepIds=[s["Id"] for s in running], StepCancellationOption="TERMINATE_PROCESS"
            )

    return act


def _family(scene: Scene, name: str) -> list[psutil.Process]:
    parent = processes.find(scene.config, name)
    return [*parent.children(recursive=True), parent] if parent else []


def _command_line(process: psutil.Process) -> str:
    """Empty for one that has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
