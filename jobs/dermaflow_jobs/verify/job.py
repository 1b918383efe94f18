"""The Spark shell: probe the driver, and every executor through one barrier stage."""

from __future__ import annotations

import logging
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dermaflow_jobs.contract.steps import NodePython, VerifyReport
from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.runtime.spark import executor_slots
from dermaflow_jobs.runtime.step import StepContext
from dermaflow_jobs.verify.findings import problems
from dermaflow_jobs.verify.probe import probe

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

EXECUTOR_WAIT_S = 180.0


def verify(context: StepContext) -> None:
    """Writes VerifyReport. Raises JobError with a table where a module is missing or a version differs."""
    context.progress.report("starting Spark", 0, 1, "session")
    spark = barrier_session()
    wait_for_executors(spark, EXECUTOR_WAIT_S)
    context.progress.report("importing", 0, 1, "cluster")
    processes = (probe("driver"), *probe_executors(spark))
    context.progress.report("importing", 1, 1, "cluster")
    context.store.put(context.layout.step_report(context.run_key, "verify"), VerifyReport(processes=processes))
    check(processes)


def barrier_session() -> SparkSession:
    """Barrier stages do not work with dynamic allocation, which EMR switches on."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("dermaflow verify")
    return builder.config("spark.dynamicAllocation.enabled", "false").getOrCreate()


def check(processes: tuple[NodePython, ...]) -> None:
    """Raises JobError that names every module that is missing and every version that differs, by host."""
    wrong = problems(processes)
    if wrong:
        table = "\n  ".join(wrong)
        raise JobError(
            f"{len(wrong)} problems with the Python environment of {len(processes)} processes:\n  {table}",
            remedy="The bootstrap action builds this environment from jobs/uv.lock; read its log under LogUri "
            "(node/<instance>/bootstrap-actions/), and see that spark.pyspark.python names its python.",
        )
    log.info("%d processes import all modules: %s", len(processes), processes[0].versions)


def probe_executors(spark: SparkSession) -> tuple[NodePython, ...]:
    """One finding per host and interpreter. A barrier stage runs on all slots at once, so it misses no executor."""
    slots = executor_slots(spark)
    found = spark.sparkContext.parallelize(range(slots), slots).barrier().mapPartitions(probe_task).collect()
    return tuple(sorted((NodePython.parse(text) for text in found), key=lambda process: process.host))


def probe_task(_: Iterable[int]) -> Iterator[str]:
    """Only the first task of a host imports; the others would only load the same files again."""
    from pyspark import BarrierTaskContext

    task = BarrierTaskContext.get()
    here = f"{socket.gethostname()} {sys.executable}"
    everywhere = task.allGather(here)
    if everywhere.index(here) == task.partitionId():
        yield probe("executor").to_json()


def wait_for_executors(spark: SparkSession, limit_s: float) -> None:
    """YARN grants executors by and by. Raises JobError if those asked for do not come."""
    asked = int(spark.sparkContext.getConf().get("spark.executor.instances", "0"))
    deadline = time.monotonic() + limit_s
    while (there := registered_executors(spark)) < asked:
        if time.monotonic() > deadline:
            raise JobError(
                f"Spark asked for {asked} executors and has {there} after {limit_s:.0f} s",
                remedy="Their memory and cores may not fit the core nodes: compare spark.executor.memory plus "
                "memoryOverhead with what YARN has on that instance type, or ask for more core nodes.",
            )
        time.sleep(1)


def registered_executors(spark: SparkSession) -> int:
    """Without the driver, which Spark lists too. PySpark has no such call of its own."""
    context = spark.sparkContext._jsc.sc()
    return int(context.getExecutorMemoryStatus().size()) - 1
