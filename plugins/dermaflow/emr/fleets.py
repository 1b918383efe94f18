"""The nodes of a run's cluster as instance fleets: which machines, how many, bought how. Pure."""

from __future__ import annotations

from collections.abc import Set
from typing import Any, Final

from dermaflow.emr.instance_types import INSTANCE_TYPES, same_size
from dermaflow_jobs.contract.options import ClusterOptions, RunOptions

Fleet = dict[str, Any]
SPOT_MINUTES: Final = 10
"""After which EMR takes on-demand machines for the spot nodes that it does not get."""
LEAST_DISK_GB: Final = 64
PIXEL_BYTES: Final = 3


def instances(cluster: ClusterOptions) -> dict[str, Any]:
    """`Instances` of RunJobFlow. Primary and core nodes on demand: with one of those gone, work is lost."""
    fleets = [_on_demand("primary", "MASTER", cluster, 1), _on_demand("core", "CORE", cluster, cluster.core_count)]
    if cluster.spot_task_nodes:
        fleets.append(_spot(cluster))
    return {
        "InstanceFleets": fleets,
        "KeepJobFlowAliveWhenNoSteps": True,
        "TerminationProtected": False,
        "UnhealthyNodeReplacement": True,
        **({"Ec2SubnetIds": list(cluster.subnet_ids)} if cluster.subnet_ids else {}),
        **_security_groups(cluster),
    }


def types_for(cluster: ClusterOptions, wanted: str) -> list[str]:
    """The wanted type, then those that stand in for it: they have its size, so Spark's settings fit all of them."""
    return [wanted, *(name for name in cluster.fallback_types if name in same_size(wanted))]


def suited(options: RunOptions, *, types: Set[str], images: int) -> RunOptions:
    """With what the user left open decided, so that `run.json` says what was rented: other types, and disks."""
    cluster = options.cluster
    both = (cluster.primary_type, cluster.core_type)
    others = [name for kind in dict.fromkeys(both) for name in same_size(kind) if name in types]
    filled = {
        "fallback_types": cluster.fallback_types or tuple(dict.fromkeys(others)),
        "disk_gb": cluster.disk_gb or disk_gb(images, options.preprocess.image_size),
    }
    return options.model_copy(update={"cluster": cluster.model_copy(update=filled)})


def disk_gb(images: int, image_size: int) -> int:
    """Of a core node: all shards twice (training downloads them, Spark shuffles), and room for everything else."""
    shards = images * image_size**2 * PIXEL_BYTES / 1e9
    return max(LEAST_DISK_GB, -(-int(32 + 2 * shards) // 10) * 10)


def _on_demand(name: str, role: str, cluster: ClusterOptions, count: int) -> Fleet:
    """In the order of `types_for`: the wanted type as long as there is one."""
    wanted = cluster.primary_type if role == "MASTER" else cluster.core_type
    kinds = types_for(cluster, wanted)
    return {
        "Name": name,
        "InstanceFleetType": role,
        "TargetOnDemandCapacity": count,
        "InstanceTypeConfigs": [
            _kind(kind, cluster, role) | ({"Priority": float(place)} if len(kinds) > 1 else {})
            for place, kind in enumerate(kinds)
        ],
        **({"LaunchSpecifications": {"OnDemandSpecification": {"AllocationStrategy": "prioritized"}}}
           if len(kinds) > 1 else {}),
    }  # fmt: skip


def _spot(cluster: ClusterOptions) -> Fleet:
    return {
        "Name": "task",
        "InstanceFleetType": "TASK",
        "TargetSpotCapacity": cluster.spot_task_nodes,
        "InstanceTypeConfigs": [_kind(kind, cluster, "TASK") for kind in types_for(cluster, cluster.core_type)],
        "LaunchSpecifications": {
            "SpotSpecification": {
                "TimeoutDurationMinutes": SPOT_MINUTES,
                "TimeoutAction": "SWITCH_TO_ON_DEMAND",
                "AllocationStrategy": "price-capacity-optimized",
            }
        },
    }


def _kind(name: str, cluster: ClusterOptions, role: str) -> dict[str, Any]:
    """One type of a fleet; a node of any counts as one."""
    config: dict[str, Any] = {"InstanceType": name, "WeightedCapacity": 1}
    if role != "MASTER":
        volume = {"VolumeType": "gp3", "SizeInGB": cluster.disk_gb or LEAST_DISK_GB}
        devices = [{"VolumeSpecification": volume, "VolumesPerInstance": 1}]
        config["EbsConfiguration"] = {"EbsBlockDeviceConfigs": devices, "EbsOptimized": True}
    return config


def _security_groups(cluster: ClusterOptions) -> dict[str, str]:
    groups = {
        "EmrManagedMasterSecurityGroup": cluster.primary_security_group,
        "EmrManagedSlaveSecurityGroup": cluster.core_security_group,
        "ServiceAccessSecurityGroup": cluster.service_security_group,
    }
    return {name: group for name, group in groups.items() if group}


def has_gpus(cluster: ClusterOptions) -> bool:
    """False for a type that we do not know, which check_inputs refuses."""
    kind = INSTANCE_TYPES.get(cluster.core_type)
    return bool(kind and kind.gpus)
