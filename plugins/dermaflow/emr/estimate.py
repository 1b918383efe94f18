"""What a run will cost before it has cost anything: at most, and as far as earlier runs tell. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from dermaflow.emr.cost import most_usd, usd_per_hour
from dermaflow.emr.prices import PriceList
from dermaflow.form import flat
from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.options import RunOptions

MOST_RUNS: Final = 5
"""The latest that are alike."""
WORK: Final = ("model", "image_size", "epochs", "samples_per_class", "train_workers")
NODES: Final = ("core_type", "core_count")
LIKENESS: Final = (
    ("the same work on the same nodes", (*WORK, *NODES)),
    ("the same model on the same nodes", ("model", *NODES)),
    ("the same model", ("model",)),
)
"""The nearest kind that there is of it counts alone."""


@dataclass(frozen=True)
class Estimate:
    worst_usd: float
    """Every node at the on-demand price until the deadline: what `max_cost_usd` is held against."""
    usd_per_hour: float
    """On demand."""
    spot_usd_per_hour: float
    """With the spot nodes at the price of just now, where it is known."""
    minutes: float | None
    """Of the whole life of the cluster; None where no run is like it."""
    told_by: str

    @property
    def expected_usd(self) -> float | None:
        return None if self.minutes is None else self.minutes / 60 * self.spot_usd_per_hour

    def text(self) -> str:
        hourly = f"{self.usd_per_hour:.2f} USD an hour on demand"
        if self.spot_usd_per_hour < self.usd_per_hour:
            hourly += f", {self.spot_usd_per_hour:.2f} with spot nodes at the price of just now"
        expected = (
            "no earlier run tells how long it takes"
            if self.minutes is None
            else f"about {self.expected_usd:.2f} USD for {self.minutes:.0f} minutes, by {self.told_by}"
        )
        return f"{expected}; {self.worst_usd:.2f} USD at most, until the deadline; {hourly}"


def estimate(options: RunOptions, prices: PriceList, records: Iterable[LedgerRecord]) -> Estimate:
    """Raises KeyError for an instance type without a price."""
    minutes, told_by = expected_minutes(flat(options), list(records))
    return Estimate(
        worst_usd=most_usd(options.cluster, prices.prices),
        usd_per_hour=usd_per_hour(options.cluster, prices.prices),
        spot_usd_per_hour=usd_per_hour(options.cluster, prices.prices, spot=True),
        minutes=minutes,
        told_by=told_by,
    )


def expected_minutes(choices: dict[str, Any], records: Sequence[LedgerRecord]) -> tuple[float | None, str]:
    """Median of the latest runs that are alike, and which likeness that is. Each run's last cluster counts: it is the
    one that brought the result."""
    done = sorted((record for record in records if record.cost and record.cost.clusters), key=_age)
    for words, names in LIKENESS:
        alike = [record for record in done if all(record.choices.get(name) == choices.get(name) for name in names)]
        times = [record.cost.clusters[-1].minutes for record in alike[-MOST_RUNS:] if record.cost]
        if times:
            return median(times), f"{len(times)} earlier run{'s' if len(times) > 1 else ''} of {words}"
    return None, "none"


_age: Callable[[LedgerRecord], Any] = lambda record: record.recorded_at  # noqa: E731
