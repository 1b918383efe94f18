"""Does the work fit the machines?"""

from __future__ import annotations

from typing import Final

from dermaflow.checks.problem import Problem
from dermaflow.emr.instance_types import INSTANCE_TYPES
from dermaflow.emr.sizing import LEAST_HEAP_MB, YARN_SHARE, side_by_side, spark_size
from dermaflow_jobs.contract.options import RunOptions

LEAST_OVERHEAD_MB: Final = 3072
"""TensorFlow and a batch of images, in the Python worker of one executor."""


DRIVER_OVERHEAD_MB: Final = 700
"""Of a step's driver on the primary node, beside its heap: the JVM's own and Python."""


def check_sweep(options: RunOptions) -> Problem | None:
    """Is there a core node for every worker of the trials that run at once, and room for their drivers?"""
    sweep, cluster, at_once = options.sweep, options.cluster, side_by_side(options)
    wanted = at_once * options.train.train_workers
    if sweep.sweep_trials and wanted > max(cluster.core_count, options.train.train_workers):
        found = (
            f"{at_once} trials at a time with {options.train.train_workers} workers each need {wanted} core nodes,"
            f" there are {cluster.core_count}"
        )
        return Problem("sweep_parallel", found, f"set core_count to {wanted}, or let fewer trials run at a time")
    if not {cluster.primary_type, cluster.core_type} <= set(INSTANCE_TYPES):
        return None
    primary, heap = INSTANCE_TYPES[cluster.primary_type], spark_size("train", options).driver_heap_mb
    if at_once > 1 and at_once * (heap + DRIVER_OVERHEAD_MB) > primary.memory_mib * YARN_SHARE:
        found = f"{cluster.primary_type} has no room for {at_once} drivers of {heap + DRIVER_OVERHEAD_MB} MB"
        return Problem("sweep_parallel", found, "take a larger primary_type, or let fewer trials run at a time")
    return None


def check_fit(options: RunOptions) -> list[Problem]:
    """Nothing for instance types that we do not know: those are a problem of their own."""
    cluster, workers = options.cluster, options.train.train_workers
    problems = []
    if problem := check_sweep(options):
        problems.append(problem)
    if workers > cluster.core_count:
        found = f"{workers} workers for {cluster.core_count} core nodes: each needs a node of its own"
        problems.append(Problem("train_workers", found, f"set core_count to {workers}, or take fewer workers"))
    if not {cluster.primary_type, cluster.core_type} <= set(INSTANCE_TYPES):
        return problems
    size = spark_size("train", options)
    if size.overhead_mb < LEAST_OVERHEAD_MB:
        found = f"{cluster.core_type} leaves {size.overhead_mb} MB to Python beside a heap of {LEAST_HEAP_MB} MB"
        problems.append(Problem("core_type", found, f"take a type that leaves at least {LEAST_OVERHEAD_MB} MB"))
    return problems
