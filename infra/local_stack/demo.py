"""`make demo`: one training run through Airflow on local AWS, from images to ledger."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console

from dermaflow_jobs.contract.run_spec import make_run_key
from dermaflow_jobs.contract.s3_layout import Layout
from local_stack import aws, images, report, stack
from local_stack.airflow import USER, AirflowApi
from local_stack.config import StackConfig
from local_stack.follow import follow
from local_stack.processes import StackError

DAG_ID = "lesion_training"


def demo(config: StackConfig, console: Console, *, data: str | None, per_class: int, conf: dict[str, Any]) -> int:
    """0 only if the run succeeded and no cluster is left. Leaves nothing running that was not running before."""
    was_up = stack.is_up(config)
    began = time.monotonic()
    try:
        config = stack.up(config)
        source = images.source_of(data, config, per_class=per_class)
        console.print(f"images: {source.folder}")
        sent = images.upload(source, config, lambda _done, _total: None)
        console.print(f"raw data: {Layout.of(source.root).uri(Layout.of(source.root).raw_prefix())} ({sent:,} new)")
        stack.wait(config)
        ready = time.monotonic()
        console.print(f"Airflow is up at {config.airflow_url}, local AWS at {config.aws_url}")
        with AirflowApi.login(config) as api:
            ok = _run(api, config, console, source, conf, {"until the stack was up": ready - began})
        left = aws.clusters_alive(config)
        console.print(f"[bold red]clusters left: {left}" if left else "no cluster is left")
        return 0 if ok and not left else 1
    finally:
        if was_up:
            console.print(f"the stack stays up: {config.airflow_url} (make down ends it)")
        else:
            stack.down(config)
            console.print("everything is stopped; `make up` starts it again and keeps it up")


def _run(
    api: AirflowApi,
    config: StackConfig,
    console: Console,
    source: images.Source,
    conf: dict[str, Any],
    times: dict[str, float],
) -> bool:
    run_id = f"demo-{source.name}"
    began = time.monotonic()
    api.wait_for_dag(DAG_ID)
    api.unpause(DAG_ID)
    api.trigger(DAG_ID, run_id, {"root": source.root} | conf)
    state = follow(api, config, console, dag_id=DAG_ID, run_id=run_id, root=source.root)
    tasks = api.tasks(DAG_ID, run_id)
    if state != "success":
        _print_failures(api, console, run_id, tasks)
        return False
    run_key = make_run_key(dag_id=DAG_ID, run_id=run_id, logical_date=None, scheduled=False)
    record = report.print_result(config, console, root=source.root, run_key=run_key)
    report.print_keys(config, console, root=source.root, run_key=run_key, dataset_id=record.metrics.dataset_id)
    report.print_times(console, tasks, total=times | {"the run": time.monotonic() - began})
    console.print(f"Airflow: {config.airflow_url}/dags/{DAG_ID}/runs/{run_id}  user {USER}")
    console.print(f"password: in {config.airflow_home / 'passwords.json'}", highlight=False)
    return True


def _print_failures(api: AirflowApi, console: Console, run_id: str, tasks: list[dict[str, Any]]) -> None:
    for task in tasks:
        if task["state"] == "failed":
            console.rule(f"[red]{task['task_id']} failed")
            lines = api.log(DAG_ID, run_id, task).splitlines()
            console.print("\n".join(lines[-60:]), markup=False, highlight=False)
    if not any(task["state"] == "failed" for task in tasks):
        raise StackError(f"run {run_id} failed, yet no task did: {[(t['task_id'], t['state']) for t in tasks]}")
