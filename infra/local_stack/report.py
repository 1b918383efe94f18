"""What a finished run is worth, printed."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.metrics import Metrics
from dermaflow_jobs.contract.s3_layout import Layout
from local_stack import aws
from local_stack.config import StackConfig
from local_stack.follow import in_order, seconds_of


def print_result(config: StackConfig, console: Console, *, root: str, run_key: str) -> LedgerRecord:
    """Scores with their sample sizes, and the ledger's line."""
    layout = Layout.of(root)
    body = aws.s3(config).get_object(Bucket=layout.bucket, Key=layout.ledger_run(run_key))["Body"].read()
    record = LedgerRecord.parse(body, source=layout.uri(layout.ledger_run(run_key)))
    metrics = record.metrics
    drawn = " [yellow](synthetic images: not a result about skin)[/]" if metrics.synthetic else ""
    console.rule(f"{metrics.model}, {metrics.image_size} px, trained on {metrics.train_images:,} images{drawn}")
    console.print(_scores(metrics))
    console.print(f"\n{record.line_2021()}", highlight=False)
    return record


def print_keys(config: StackConfig, console: Console, *, root: str, run_key: str, dataset_id: str) -> None:
    """The objects of this run, its dataset and the ledger."""
    layout = Layout.of(root)
    for prefix in (
        layout.run_prefix(run_key),
        layout.dataset_prefix(dataset_id),
        f"{layout.prefix}ledger/",
        f"{layout.prefix}models/",
    ):
        pages = aws.s3(config).get_paginator("list_objects_v2").paginate(Bucket=layout.bucket, Prefix=prefix)
        objects = [item for page in pages for item in page.get("Contents", [])]
        console.print(f"[bold]{layout.uri(prefix)}[/]  {len(objects)} objects", highlight=False)
        for item in objects[:12]:
            console.print(f"  {item['Size']:>10,}  {item['Key'].removeprefix(prefix)}", highlight=False)
        if len(objects) > 12:
            console.print(f"  … and {len(objects) - 12} more")


def print_times(console: Console, tasks: list[dict[str, Any]], *, total: dict[str, float]) -> None:
    """Where the time went, task by task."""
    table = Table("where the time went", "seconds", box=None, pad_edge=False)
    for task in in_order(tasks):
        table.add_row(f"  {task['task_id']}", f"{seconds_of(task) or 0:.1f}")
    for name, seconds in total.items():
        table.add_row(name, f"{seconds:.1f}")
    console.print(table)


def _scores(metrics: Metrics) -> Table:
    table = Table("split", "images", "accuracy", "balanced", "AUC mean", *(f"AUC {c}" for c in metrics.classes))
    for split, scores in metrics.splits.items():
        per_class = ", ".join(f"{n} {label}" for label, n in scores.images_per_class.items())
        table.add_row(
            split,
            f"{scores.images} ({per_class})",
            f"{scores.accuracy:.1%}",
            _number(scores.balanced_accuracy),
            _number(scores.mean_auc),
            *(_number(scores.auc[label]) for label in metrics.classes),
        )
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
