"""One record a run, and the two tables that are derived from all of them."""

from __future__ import annotations

import csv
import io
from typing import Literal

from pydantic import AwareDatetime

from dermaflow_jobs.contract.base import Value
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
    "code_id",
    "cluster_id",
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
        m, valid = record.metrics, record.metrics.splits["valid"]
        writer.writerow(
            [
                record.run_key,
                record.logical_date.isoformat() if record.logical_date else "",
                record.recorded_at.isoformat(),
                m.model,
                m.image_size,
                str(m.synthetic).lower(),
                m.dataset_id,
                m.train_images,
                valid.images,
                f"{valid.accuracy:.4f}",
                "" if valid.balanced_accuracy is None else f"{valid.balanced_accuracy:.4f}",
                "" if valid.mean_auc is None else f"{valid.mean_auc:.4f}",
                record.code_id,
                record.cluster_id or "",
            ]
        )
    return out.getvalue()
