"""What the harness does to a run, each at a moment it waits for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import psutil

from local_stack import airflow, aws, processes

if TYPE_CHECKING:
    from chaos.scene import Scene

Act = Callable[["Scene"], None]
BUSY = {"running", "deferred"}


def kill_task(task_id: str) -> Act:
    """kill -9 to the process that runs the task, as soon as there is one."""

    def act(scene: Scene) -> None:
        instance = scene.wait_for_task(task_id, {"running"})
        title = f"airflow worker -- {instance['id']}"
        end = time.monotonic() + 20
        while time.monotonic() < end:
            for process in _family(scene, "scheduler"):
                if title in _command_line(process):
                    time.sleep(0.5)  # past the imports, into the operator
                    process.kill()
                    return
            time.sleep(0.05)
        raise RuntimeError(f"no process titled {title!r}")

    return act


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
    """The task and all after it, in Airflow's UI."""

    def act(scene: Scene) -> None:
        scene.wait_for_task(during, BUSY)
        scene.clear(task_id)

    return act


def kill_step(step: str) -> Act:
    """kill -9 to the step's driver on the cluster."""

    def act(scene: Scene) -> None:
        end = time.monotonic() + 120
        while time.monotonic() < end:
            for process in _family(scene, "local-aws"):
                words = _command_line(process).split()
                if any(word.endswith("launch.py") for word in words) and step in words:
                    process.kill()
                    return
            time.sleep(0.1)
        raise RuntimeError(f"no driver of step {step} was seen")

    return act


def cancel_step(step: str) -> Act:
    def act(scene: Scene) -> None:
        scene.wait_for_task(step, {"deferred"})
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
