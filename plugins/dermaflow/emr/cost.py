"""What a cluster costs, from list prices: an estimate before, an account after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dermaflow.emr.instance_types import INSTANCE_TYPES
from dermaflow_jobs.contract.options import ClusterOptions

LEAST_S = 60.0
"""EC2 and EMR bill by the second, the first minute whole."""


def usd_per_hour(cluster: ClusterOptions) -> float:
    """All nodes, spot ones at the on-demand price. Raises KeyError naming a type that we have no price of."""
    primary, core = INSTANCE_TYPES[cluster.primary_type], INSTANCE_TYPES[cluster.core_type]
    return primary.usd_per_hour + (cluster.core_count + cluster.spot_task_nodes) * core.usd_per_hour


def most_usd(cluster: ClusterOptions) -> float:
    """What the run can cost at most: all nodes until its deadline."""
    return usd_per_hour(cluster) * cluster.max_hours


@dataclass(frozen=True)
class Account:
    """Of one cluster. Spot nodes are reckoned at the on-demand price, so the bill is lower."""

    instances: int
    hours: float
    usd: float
    unpriced: tuple[str, ...]
    """Instance types that we have no price of; they are not in `usd`."""

    def text(self) -> str:
        lack = f" without {', '.join(self.unpriced)}, whose price is unknown" if self.unpriced else ""
        return f"{self.instances} nodes, {self.hours:.2f} node hours, {self.usd:.2f} USD at list prices{lack}"


def account(instances: Iterable[Mapping[str, Any]], now: datetime) -> Account:
    """From ListInstances' timelines; a node that still runs is reckoned until `now`."""
    listed = list(instances)
    hours = [_seconds(instance["Status"]["Timeline"], now) / 3600 for instance in listed]
    kinds = [INSTANCE_TYPES.get(instance["InstanceType"]) for instance in listed]
    usd = sum(time * kind.usd_per_hour for time, kind in zip(hours, kinds, strict=True) if kind)
    unpriced = sorted({i["InstanceType"] for i, kind in zip(listed, kinds, strict=True) if kind is None})
    return Account(len(listed), sum(hours), usd, tuple(unpriced))


def _seconds(timeline: Mapping[str, datetime], now: datetime) -> float:
    began = timeline.get("CreationDateTime")
    if began is None:
        return 0.0
    return max(LEAST_S, ((timeline.get("EndDateTime") or now) - began).total_seconds())
