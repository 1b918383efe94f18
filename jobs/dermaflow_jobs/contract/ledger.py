"""One record a run, and the two tables that are derived from all of them."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, Field, JsonValue

from dermaflow_jobs.contract.base import Value
from dermaflow_jobs.contract.champion import Promotion
from dermaflow_jobs.contract.cost import RunCost
from dermaflow_jobs.contract.metrics import Metrics

COLUMNS = (
    "run_key",
    "logical_date",
    "recorded_at",
    "model",
    "image_size",
    "synthetic",
    "dataset_id",
    "train_images",
    "valid_images",
    "accuracy",
    "balanced_accuracy",
    "mean_auc",
    "mean_auc_low",
    "mean_auc_high",
    "code_id",
    "cluster_id",
    "run_type",
    "data_until",
    "promoted",
    "cost_usd",
    "bootstrap_usd",
    "idle_usd",
)


class LedgerRecord(Value):
    """What is kept of a run for good. Writing the same run key again replaces this record and no other."""

    version: Literal[1] = 1
    run_key: str
    run_id: str
    logical_date: AwareDatetime | None
    recorded_at: AwareDatetime
    code_id: str
    cluster_id: str | None
    metrics: Metrics
    run_type: str | None = None
    """Airflow's: scheduled, backfill, manual, asset_triggered."""
    data_until: AwareDatetime | None = None
    """Up to when the run saw images: the curve over dates is drawn over this."""
    inputs_id: str = ""
    """Of the images it was given (`contract.inputs`)."""
    choices: dict[str, JsonValue] = Field(default_factory=dict)
    """What the run was asked to do, flat, as the trigger form names it."""
    promotion: Promotion | None = None
    """Written by promote; None until then."""
    cost: RunCost | None = None
    """Written when the cluster is gone; None until then."""

    def summary(self) -> str:
        """`mean AUC 0.771, accuracy 55.3 % on 150 images`."""
        valid = self.metrics.splits["valid"]
        auc = "" if valid.mean_auc is None else f"mean AUC {valid.mean_auc:.3f}, "
        kind = "synthetic images" if self.metrics.synthetic else "images"
        return f"{auc}accuracy {100 * valid.accuracy:.1f} % on {valid.images:,} {kind}"

    def line_2021(self) -> str:
        """The 2021 project's line, accuracy on the validation split; synthetic data says so at its end."""
        stamp = self.recorded_at.strftime("%Y-%m-%d %H:%M:%S.%f")
        size = self.metrics.image_size
        line = (
            f"Model with n={self.metrics.train_images}, image size of {size} x {size}, "
            f"Accuracy of {100 * self.metrics.splits['valid'].accuracy:.2f} % recorded at {stamp}"
        )
        return f"{line} (synthetic images)" if self.metrics.synthetic else line


def text_2021(records: list[LedgerRecord]) -> str:
    """`skin-lesions-model-output.txt`, oldest first."""
    return "".join(f"{record.line_2021()}\n" for record in sorted(records, key=lambda r: r.recorded_at))


def table(records: list[LedgerRecord]) -> str:
    """`ledger.csv`, oldest first; scores are of the validation split."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for record in sorted(records, key=lambda r: r.recorded_at):
        writer.writerow([_cell(value) for value in _row(record)])
    return out.getvalue()


def _row(record: LedgerRecord) -> list[object]:
    m, valid, cost = record.metrics, record.metrics.splits["valid"], record.cost
    interval = valid.intervals.get("mean_auc")
    return [
        record.run_key,
        record.logical_date,
        record.recorded_at,
        m.model,
        m.image_size,
        m.synthetic,
        m.dataset_id,
        m.train_images,
        valid.images,
        valid.accuracy,
        valid.balanced_accuracy,
        valid.mean_auc,
        interval and interval.low,
        interval and interval.high,
        record.code_id,
        record.cluster_id,
        record.run_type,
        record.data_until,
        record.promotion and record.promotion.promoted,
        cost and cost.usd,
        cost and cost.bootstrap_usd,
        cost and cost.idle_usd,
    ]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.4f}"
    return value.isoformat() if isinstance(value, datetime) else str(value)
