"""What a cluster costs, from list prices: at most before it is rented, really once it is gone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from dermaflow.emr.instance_types import INSTANCE_TYPES
from dermaflow.emr.prices import Price
from dermaflow_jobs.contract.cost import ClusterCost
from dermaflow_jobs.contract.options import ClusterOptions

LEAST: Final = timedelta(minutes=1)
"""EC2 and EMR bill by the second, the first minute whole."""
SPOT: Final = "SPOT"

Span = tuple[datetime, datetime]
Prices = Mapping[str, Price]


def usd_per_hour(cluster: ClusterOptions, prices: Prices, *, spot: bool = False) -> float:
    """All nodes, each as dear as the dearest type that may stand in for its own. `spot`: spot nodes at the spot price,
    where it is known, not at the on-demand price. Raises KeyError for a type that has no price."""
    primary, core = prices[cluster.primary_type], prices[cluster.core_type]
    others = [prices[kind] for kind in cluster.fallback_types if kind in prices]

    def dearest(own: Price, *, as_spot: bool = False) -> float:
        return max(price.usd(spot=as_spot) for price in (own, *others))

    return dearest(primary) + cluster.core_count * dearest(core) + cluster.spot_task_nodes * dearest(core, as_spot=spot)


def most_usd(cluster: ClusterOptions, prices: Prices) -> float:
    """What the run can cost at most: every node at the on-demand price until the deadline."""
    return usd_per_hour(cluster, prices) * cluster.max_hours


@dataclass(frozen=True)
class Account:
    """Of one cluster until now, at the table's prices. Spot nodes are reckoned as on-demand, so the bill is lower."""

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
    listed = [(instance["InstanceType"], _life(instance, now)) for instance in instances]
    hours = [_hours(life) for _, life in listed]
    kinds = [INSTANCE_TYPES.get(kind) for kind, _ in listed]
    usd = sum(time * kind.usd_per_hour for time, kind in zip(hours, kinds, strict=True) if kind)
    unpriced = sorted({name for (name, _), kind in zip(listed, kinds, strict=True) if kind is None})
    return Account(len(listed), sum(hours), usd, tuple(unpriced))


@dataclass(frozen=True)
class Bill:
    """What a cluster's cost is reckoned from, as EMR answers."""

    cluster: Mapping[str, Any]
    """DescribeCluster."""
    instances: Sequence[Mapping[str, Any]]
    """ListInstances."""
    steps: Sequence[Mapping[str, Any]]
    """ListSteps."""

    @property
    def kinds(self) -> set[str]:
        return {instance["InstanceType"] for instance in self.instances}


def cluster_cost(bill: Bill, prices: Prices, now: datetime) -> ClusterCost:
    """What still runs is reckoned until `now`."""
    timeline = bill.cluster["Status"]["Timeline"]
    ready = timeline.get("ReadyDateTime") or timeline.get("EndDateTime") or now
    busy = united([span for step in bill.steps if (span := _span(step["Status"]["Timeline"], "StartDateTime", now))])
    nodes: dict[str, int] = {}
    shares = {"bootstrap_usd": 0.0, "working_usd": 0.0, "idle_usd": 0.0}
    hours, unpriced = 0.0, set()
    for instance in bill.instances:
        life, kind, spot = _life(instance, now), instance["InstanceType"], instance.get("Market") == SPOT
        name = f"{kind} spot" if spot else kind
        nodes[name] = nodes.get(name, 0) + 1
        hours += _hours(life)
        price = prices.get(kind)
        if price is None:
            unpriced.add(kind)
            continue
        own_ready = max(ready, instance["Status"]["Timeline"].get("ReadyDateTime") or ready)
        for share, time in zip(shares, split(life, own_ready, busy), strict=True):
            shares[share] += time.total_seconds() / 3600 * price.usd(spot=spot)
    end = timeline.get("EndDateTime")
    return ClusterCost(
        cluster_id=bill.cluster["Id"],
        started_at=timeline["CreationDateTime"],
        ended_at=end,
        minutes=((end or now) - timeline["CreationDateTime"]).total_seconds() / 60,
        nodes=nodes,
        node_hours=hours,
        unpriced=tuple(sorted(unpriced)),
        **shares,
    )


def split(life: Span, ready: datetime, busy: Sequence[Span]) -> tuple[timedelta, timedelta, timedelta]:
    """Of a node's paid time: until it was ready, while a step ran, and the rest. `busy` spans do not overlap."""
    began, ended = life
    ready = min(max(ready, began), ended)
    bootstrap = ready - began
    working = sum((max(timedelta(), min(ended, stop) - max(ready, start)) for start, stop in busy), timedelta())
    return bootstrap, working, ended - ready - working


def united(spans: Iterable[Span]) -> list[Span]:
    """Without overlaps, in order."""
    found: list[Span] = []
    for start, stop in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], stop))
        else:
            found.append((start, stop))
    return found


def _life(instance: Mapping[str, Any], now: datetime) -> Span:
    """As it is billed: a whole minute at least."""
    began, ended = _span(instance["Status"]["Timeline"], "CreationDateTime", now) or (now, now)
    return began, ended if began == ended else max(ended, began + LEAST)


def _span(timeline: Mapping[str, datetime], start: str, now: datetime) -> Span | None:
    began = timeline.get(start)
    return (began, max(began, timeline.get("EndDateTime") or now)) if began else None


def _hours(life: Span) -> float:
    return (life[1] - life[0]).total_seconds() / 3600
