"""Would the run cost more than it may?"""

from __future__ import annotations

from dermaflow.checks.problem import Problem
from dermaflow.emr.cost import most_usd, usd_per_hour
from dermaflow.emr.prices import PriceList
from dermaflow_jobs.contract.options import RunOptions


def check_cost(options: RunOptions, prices: PriceList) -> list[Problem]:
    """The worst case, not the expectation: a limit that a slow run may pass is none. Nothing for instance types that
    have no price: those are a problem of their own."""
    cluster = options.cluster
    if not {cluster.primary_type, cluster.core_type} <= set(prices.prices):
        return []
    most = most_usd(cluster, prices.prices)
    if most <= cluster.max_cost_usd:
        return []
    count = 1 + cluster.core_count + cluster.spot_task_nodes
    nodes = f"{count} nodes at {usd_per_hour(cluster, prices.prices):.2f} USD/h"
    found = (
        f"{most:.2f} USD at most: {nodes} until the deadline of {cluster.max_hours:g} h;"
        f" the limit is {cluster.max_cost_usd:.2f} USD"
    )
    return [Problem("max_cost_usd", found, "take fewer or smaller nodes or a nearer deadline, or raise the limit")]
