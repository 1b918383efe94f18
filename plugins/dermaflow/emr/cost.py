"""What a cluster costs, from list prices: an estimate before, an account after."""

from __future__ import annotations

from dermaflow.emr.instance_types import INSTANCE_TYPES
from dermaflow_jobs.contract.options import ClusterOptions


def usd_per_hour(cluster: ClusterOptions) -> float:
    """Raises KeyError naming the instance type that we have no price of."""
    primary, core = INSTANCE_TYPES[cluster.primary_type], INSTANCE_TYPES[cluster.core_type]
    return primary.usd_per_hour + cluster.core_count * core.usd_per_hour


def most_usd(cluster: ClusterOptions) -> float:
    """What the run can cost at most: all nodes until its deadline."""
    return usd_per_hour(cluster) * cluster.max_hours
