"""`cost.json`: what a run's clusters have cost, reckoned from their nodes' timelines at list prices."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import AwareDatetime

from dermaflow_jobs.contract.base import Value


class ClusterCost(Value):
    """Of one cluster. The three shares add up to the whole: `bootstrap_usd + working_usd + idle_usd`."""

    cluster_id: str
    started_at: AwareDatetime
    ended_at: AwareDatetime | None
    """None for one that still runs; it is reckoned until `RunCost.reckoned_at`."""
    minutes: float
    nodes: dict[str, int]
    """`m6i.xlarge` or `m6i.xlarge spot` → how many there were."""
    node_hours: float
    bootstrap_usd: float
    """Until the cluster was ready for its first step."""
    working_usd: float
    """While a step ran."""
    idle_usd: float
    """Ready, and no step ran; the end's minute or two counts here."""
    unpriced: tuple[str, ...] = ()
    """Instance types whose price is not known; they are in no sum."""

    @property
    def usd(self) -> float:
        return self.bootstrap_usd + self.working_usd + self.idle_usd


class RunCost(Value):
    """Every cluster that the run ever had, also those of earlier passes over the same logical date."""

    version: Literal[1] = 1
    run_key: str
    clusters: tuple[ClusterCost, ...]
    prices_from: Literal["price_list_api", "offline_table"]
    prices_as_of: date
    region: str
    reckoned_at: AwareDatetime

    @property
    def usd(self) -> float:
        return sum(cluster.usd for cluster in self.clusters)

    @property
    def bootstrap_usd(self) -> float:
        return sum(cluster.bootstrap_usd for cluster in self.clusters)

    @property
    def idle_usd(self) -> float:
        return sum(cluster.idle_usd for cluster in self.clusters)

    @property
    def minutes(self) -> float:
        return sum(cluster.minutes for cluster in self.clusters)

    def text(self) -> str:
        """`0.31 USD (0.08 bootstrap, 0.02 idle) for 25 minutes of 3 nodes`."""
        nodes = sum(count for cluster in self.clusters for count in cluster.nodes.values())
        lack = sorted({name for cluster in self.clusters for name in cluster.unpriced})
        without = f", without {', '.join(lack)}, whose price is not known" if lack else ""
        return (
            f"{self.usd:.2f} USD at list prices ({self.bootstrap_usd:.2f} bootstrap, {self.idle_usd:.2f} idle)"
            f" for {self.minutes:.0f} minutes of {nodes} nodes{without}"
        )
