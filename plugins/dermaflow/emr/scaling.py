"""When a run's cluster grows, shrinks and ends without being asked. Pure."""

from __future__ import annotations

from typing import Any

from dermaflow_jobs.contract.options import ClusterOptions


def scaling(cluster: ClusterOptions) -> dict[str, Any]:
    """Fields of RunJobFlow. Managed scaling keeps the core nodes and moves the spot nodes between none and all."""
    fields: dict[str, Any] = {
        "AutoTerminationPolicy": {"IdleTimeout": cluster.idle_minutes * 60},
        "ScaleDownBehavior": "TERMINATE_AT_TASK_COMPLETION",
    }
    if cluster.spot_task_nodes:
        fields["ManagedScalingPolicy"] = {
            "ComputeLimits": {
                "UnitType": "InstanceFleetUnits",
                "MinimumCapacityUnits": cluster.core_count,
                "MaximumCapacityUnits": cluster.core_count + cluster.spot_task_nodes,
                "MaximumOnDemandCapacityUnits": cluster.core_count,
                "MaximumCoreCapacityUnits": cluster.core_count,
            }
        }
    return fields
