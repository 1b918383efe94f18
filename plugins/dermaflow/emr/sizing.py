"""Spark's memory and cores for the rented machines.

TensorFlow and Pillow live in Spark's Python workers, outside the JVM's heap: a container whose overhead is too small
for them is killed by YARN with exit code 137 or 143. So the heap stays small and the overhead gets the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dermaflow.emr.instance_types import INSTANCE_TYPES, InstanceType
from dermaflow_jobs.contract.options import ClusterOptions, RunOptions
from dermaflow_jobs.contract.steps import StepName

YARN_SHARE: Final = 0.75
"""Of a node's memory, for YARN's containers: EMR's own defaults lie a little above."""
APPLICATION_MASTER_MB: Final = 1024
"""In client mode one node also carries a container of `spark.yarn.am.memory` and its overhead."""
HEAP_SHARE: Final = 0.2
LEAST_HEAP_MB: Final = 1024
ONE_PROCESS_STEPS: Final[tuple[StepName, ...]] = ("train", "evaluate", "score")
"""Steps whose task fills an executor: TensorFlow uses every core by itself."""
ONE_EXECUTOR_STEPS: Final[tuple[StepName, ...]] = ("evaluate",)


@dataclass(frozen=True)
class SparkSize:
    executors: int
    executor_cores: int
    task_cpus: int
    heap_mb: int
    overhead_mb: int
    driver_heap_mb: int

    def conf(self) -> dict[str, str]:
        return {
            "spark.executor.instances": str(self.executors),
            "spark.executor.cores": str(self.executor_cores),
            "spark.task.cpus": str(self.task_cpus),
            "spark.executor.memory": f"{self.heap_mb}m",
            "spark.executor.memoryOverhead": f"{self.overhead_mb}m",
            "spark.driver.memory": f"{self.driver_heap_mb}m",
            "spark.dynamicAllocation.enabled": "false",
        }


def spark_size(step: StepName, options: RunOptions) -> SparkSize:
    """One executor a core node, as wide as the node. Raises KeyError for a type that we have no size of."""
    primary, core = node_types(options.cluster)
    memory = int(core.memory_mib * YARN_SHARE) - APPLICATION_MASTER_MB
    heap = max(LEAST_HEAP_MB, int(memory * HEAP_SHARE))
    return SparkSize(
        executors=_executors(step, options),
        executor_cores=core.vcpus,
        task_cpus=core.vcpus if step in ONE_PROCESS_STEPS else 1,
        heap_mb=heap,
        overhead_mb=memory - heap,
        driver_heap_mb=max(LEAST_HEAP_MB, int(primary.memory_mib * 0.15)),
    )


def _executors(step: StepName, options: RunOptions) -> int:
    """Of decoding, one for each spot node as well: that they wait is what tells EMR to rent those nodes."""
    if step == "train":
        return options.train.train_workers
    if step in ONE_EXECUTOR_STEPS:
        return 1
    return options.cluster.core_count + (options.cluster.spot_task_nodes if step == "preprocess" else 0)


def side_by_side(options: RunOptions) -> int:
    """Steps that run at once: the trials of a sweep."""
    return max(1, min(options.sweep.sweep_parallel, options.sweep.sweep_trials))


def node_types(cluster: ClusterOptions) -> tuple[InstanceType, InstanceType]:
    return INSTANCE_TYPES[cluster.primary_type], INSTANCE_TYPES[cluster.core_type]
