"""`ledger.csv` read back: every run in one object, so that no page reads thousands of records."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError, model_validator


class Row(BaseModel):
    """A run, with its scores on the validation split. Columns of a newer or older table are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    run_key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+=[A-Za-z0-9_.-]+$")]
    recorded_at: AwareDatetime
    model: str
    image_size: int
    synthetic: bool
    dataset_id: str
    train_images: int
    valid_images: int
    accuracy: float
    mean_auc: float | None = None
    mean_auc_low: float | None = None
    mean_auc_high: float | None = None
    logical_date: AwareDatetime | None = None
    data_until: AwareDatetime | None = None
    run_type: str | None = None
    promoted: bool | None = None
    cost_usd: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unknown(cls, data: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in data.items() if name and value not in {"", None}}

    @property
    def at(self) -> datetime:
        """The date that it stands for: up to when it saw images. A backfill's runs lie where their data does."""
        return self.data_until or self.logical_date or self.recorded_at


@dataclass(frozen=True)
class Table:
    rows: tuple[Row, ...]
    """Newest first."""
    unreadable: int


def parse_table(text: str) -> Table:
    """A line that is no row is counted, not raised: one bad line must not hide all others."""
    rows, unreadable = [], 0
    for line in csv.DictReader(io.StringIO(text)):
        try:
            rows.append(Row.model_validate(line))
        except ValidationError:
            unreadable += 1
    return Table(tuple(sorted(rows, key=lambda row: row.recorded_at, reverse=True)), unreadable)
