"""Does the work fit the machines?"""

from __future__ import annotations

from typing import Final

from dermaflow.checks.problem import Problem
from dermaflow.emr.instance_types import INSTANCE_TYPES
from dermaflow.emr.sizing import LEAST_HEAP_MB, spark_size
from dermaflow_jobs.contract.options import RunOptions

LEAST_OVERHEAD_MB: Final = 3072
"""TensorFlow and a batch of images, in the Python worker of one executor."""


def check_fit(options: RunOptions) -> list[Problem]:
    """Nothing for instance types that we do not know: those are a problem of their own."""
    cluster, workers = options.cluster, options.train.train_workers
    problems = []
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
