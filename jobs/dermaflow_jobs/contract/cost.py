"""`cost.json`: what a run's clusters have cost, reckoned from their nodes' timelines at list prices."""

from __future__ import annotations

from datetime import date
from html import escape
from math import fsum
from typing import Final, Literal

from pydantic import AwareDatetime

from dermaflow_jobs.contract.base import Value

CARD_MARKS: Final = ("<!-- cost -->", "<!-- /cost -->")
"""Between these the model card says what the run has cost; it is written before that is known."""
NOT_KNOWN_YET: Final = "Known when the cluster is gone."


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
        return fsum(cluster.usd for cluster in self.clusters)

    @property
    def bootstrap_usd(self) -> float:
        return fsum(cluster.bootstrap_usd for cluster in self.clusters)

    @property
    def idle_usd(self) -> float:
        return fsum(cluster.idle_usd for cluster in self.clusters)

    @property
    def minutes(self) -> float:
        return fsum(cluster.minutes for cluster in self.clusters)

    def text(self) -> str:
        """`0.31 USD (0.08 bootstrap, 0.02 idle) for 25 minutes of 3 nodes`."""
        nodes = sum(count for cluster in self.clusters for count in cluster.nodes.values())
        lack = sorted({name for cluster in self.clusters for name in cluster.unpriced})
        without = f", without {', '.join(lack)}, whose price is not known" if lack else ""
        return (
            f"{self.usd:.2f} USD at list prices ({self.bootstrap_usd:.2f} bootstrap, {self.idle_usd:.2f} idle)"
            f" for {self.minutes:.0f} minutes of {nodes} nodes{without}"
        )


def cost_in_card(text: str = NOT_KNOWN_YET) -> str:
    return f"{CARD_MARKS[0]}{escape(text)}{CARD_MARKS[1]}"


def with_cost(page: str, cost: RunCost) -> str | None:
    """The model card with the cost in its place; None where it has no such place."""
    before, begin, rest = page.partition(CARD_MARKS[0])
    _, end, after = rest.partition(CARD_MARKS[1])
    return before + cost_in_card(cost.text()) + after if begin and end else None
