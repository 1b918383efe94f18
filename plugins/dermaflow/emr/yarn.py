"""Configuration of the cluster's YARN: where what may be lost runs, and how GPUs are handed out. Pure."""

from __future__ import annotations

from typing import Any, Final

from dermaflow.emr.fleets import has_gpus
from dermaflow.emr.sizing import ONE_PROCESS_STEPS
from dermaflow_jobs.contract.options import ClusterOptions
from dermaflow_jobs.contract.steps import StepName

Classification = dict[str, Any]
CORE_LABEL: Final = "CORE"
CGROUPS: Final = "/spark-rapids-cgroup"
GPU_DISCOVERY: Final = "/usr/lib/spark/scripts/gpu/getGpusResources.sh"


def classifications(cluster: ClusterOptions) -> list[Classification]:
    site = _labels() if cluster.spot_task_nodes else {}
    if not has_gpus(cluster):
        return [_named("yarn-site", site)] if site else []
    return [
        _named("yarn-site", site | _gpu_site()),
        # https://docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-spark-rapids.html: installs NVIDIA's driver
        _named("spark", {"enableSparkRapids": "true"}),
        _named(
            "capacity-scheduler",
            {
                "yarn.scheduler.capacity.resource-calculator": (
                    "org.apache.hadoop.yarn.util.resource.DominantResourceCalculator"
                )
            },
        ),
        {
            "Classification": "container-executor",
            "Properties": {},
            "Configurations": [
                _named("gpu", {"module.enabled": "true"}),
                _named("cgroups", {"root": CGROUPS, "yarn-hierarchy": "yarn"}),
            ],
        },
    ]


def executor_conf(step: StepName, cluster: ClusterOptions) -> dict[str, str]:
    """Spark's part of it, for a step that fills a node with one process; decoding may run anywhere."""
    if step not in ONE_PROCESS_STEPS:
        return {}
    conf = {"spark.yarn.executor.nodeLabelExpression": CORE_LABEL} if cluster.spot_task_nodes else {}
    if has_gpus(cluster):
        conf |= {
            "spark.executor.resource.gpu.amount": "1",
            "spark.task.resource.gpu.amount": "1",
            "spark.executor.resource.gpu.discoveryScript": GPU_DISCOVERY,
        }
    return conf


def _labels() -> dict[str, str]:
    """So that the application master, whose end is the application's, is never on a spot node."""
    return {"yarn.node-labels.enabled": "true", "yarn.node-labels.am.default-node-label-expression": CORE_LABEL}


def _gpu_site() -> dict[str, str]:
    plugin = "yarn.nodemanager.resource-plugins"
    linux = "yarn.nodemanager.linux-container-executor"
    return {
        plugin: "yarn.io/gpu",
        "yarn.resource-types": "yarn.io/gpu",
        f"{plugin}.gpu.allowed-gpu-devices": "auto",
        f"{plugin}.gpu.path-to-discovery-executables": "/usr/bin",
        f"{linux}.cgroups.mount": "true",
        f"{linux}.cgroups.mount-path": CGROUPS,
        f"{linux}.cgroups.hierarchy": "yarn",
        "yarn.nodemanager.container-executor.class": (
            "org.apache.hadoop.yarn.server.nodemanager.LinuxContainerExecutor"
        ),
    }


def _named(name: str, properties: dict[str, str]) -> Classification:
    return {"Classification": name, "Properties": properties}
