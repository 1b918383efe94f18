"""Shows a run while it runs: a live table on a terminal, a line an event elsewhere."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from rich.console import Console
from rich.live import Live
from rich.table import Table

from dermaflow_jobs.contract.base import ContractError
from dermaflow_jobs.contract.progress import Progress
from dermaflow_jobs.contract.s3_layout import Layout
from local_stack import aws
from local_stack.airflow import AirflowApi
from local_stack.config import StackConfig

ENDED = {"success", "failed", "skipped", "upstream_failed", "removed"}
STYLES = {"success": "green", "failed": "bold red", "upstream_failed": "red", "running": "cyan", "deferred": "cyan"}


def follow(api: AirflowApi, config: StackConfig, console: Console, *, dag_id: str, run_id: str, root: str) -> str:
    """Until the run has ended; returns its state."""
    layout, seen = Layout.of(root), dict[str, str]()
    with Live(console=console, refresh_per_second=4, transient=False) as live:
        while True:
            run, tasks = api.run(dag_id, run_id), in_order(api.tasks(dag_id, run_id))
            progress = _progress(config, layout, f"{dag_id}={run_id}", tasks)
            if console.is_terminal:
                live.update(_table(tasks, progress))
            else:
                _print_news(console, tasks, progress, seen)
            if run["state"] in ENDED:
                return str(run["state"])
            time.sleep(1)


def in_order(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As they began; those that have not begun last."""
    return sorted(tasks, key=lambda t: (t["start_date"] or "9", t["task_id"]))


def seconds_of(task: dict[str, Any]) -> float | None:
    if not task["start_date"]:
        return None
    end = datetime.fromisoformat(task["end_date"]) if task["end_date"] else datetime.now(UTC)
    return (end - datetime.fromisoformat(task["start_date"])).total_seconds()


def _progress(config: StackConfig, layout: Layout, run_key: str, tasks: list[dict[str, Any]]) -> Progress | None:
    """What the step that is running says of itself."""
    running = [t["task_id"] for t in tasks if t["state"] in {"running", "deferred"}]
    for step in running:
        key = layout.step_progress(run_key, "verify" if step.startswith("verify") else step)
        try:
            body = aws.s3(config).get_object(Bucket=layout.bucket, Key=key)["Body"].read()
            return Progress.parse(body)
        except (ClientError, ContractError):
            continue
    return None


def _table(tasks: list[dict[str, Any]], progress: Progress | None) -> Table:
    table = Table("task", "state", "seconds", box=None, pad_edge=False)
    for task in tasks:
        state, seconds = task["state"] or "-", seconds_of(task)
        table.add_row(
            task["task_id"], f"[{STYLES.get(state, 'dim')}]{state}", "" if seconds is None else f"{seconds:.0f}"
        )
    table.caption = progress.line() if progress else " "
    table.caption_justify = "left"
    return table


def _print_news(console: Console, tasks: list[dict[str, Any]], progress: Progress | None, seen: dict[str, str]) -> None:
    for task in tasks:
        state = task["state"] or "-"
        if seen.get(task["task_id"]) != state and state not in {"-", "scheduled", "queued"}:
            seen[task["task_id"]] = state
            console.print(f"{datetime.now():%H:%M:%S} {task['task_id']}: {state}")
    if progress and seen.get("") != progress.line():
        seen[""] = progress.line()
        console.print(f"         {progress.line()}")
