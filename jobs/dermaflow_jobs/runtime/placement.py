"""Puts workers on executors: a barrier stage starts them all at once or not at all.

Spark is no more than a way to call one picklable function. The work counts as a YARN application, and the driver,
which may share its node with others, stays idle.
"""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from dermaflow_jobs.runtime.errors import JobError, StorageError
from dermaflow_jobs.runtime.spark import executor_slots

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

T = TypeVar("T")


@dataclass(frozen=True)
class Placement:
    """Which worker this is, and where all of them listen."""

    rank: int
    addresses: tuple[str, ...]
    """`host:port`, by rank."""

    @property
    def workers(self) -> int:
        return len(self.addresses)

    @property
    def is_chief(self) -> bool:
        return self.rank == 0


def worker_session(step: str, workers: int) -> SparkSession:
    """A session with one executor a worker, which is that worker's alone.

    Barrier stages do not work with dynamic allocation, which EMR switches on; and TensorFlow takes its cluster's
    layout only once a process, so a Python worker must not be used again.
    """
    from pyspark import SparkConf
    from pyspark.sql import SparkSession

    given = SparkConf()
    builder = (
        SparkSession.builder.appName(f"dermaflow {step}")
        .config("spark.python.worker.reuse", "false")
        .config("spark.stage.maxConsecutiveAttempts", "2")
    )
    if not given.get("spark.master", "local[*]").startswith("local"):
        builder = (
            builder.config("spark.dynamicAllocation.enabled", "false")
            .config("spark.executor.instances", str(workers))
            .config("spark.task.cpus", given.get("spark.executor.cores", "1"))
        )
    return builder.getOrCreate()


def run_on_executors(spark: SparkSession, workers: int, body: Callable[[Placement], T]) -> list[T]:
    """Call `body` on that many executors at once; the results, by rank.

    A worker that dies, or that raises anything but a JobError about its input, makes Spark stop the others and start
    all of them once more; so `body` should go on where it was. Raises the first worker's JobError.
    """
    slots = executor_slots(spark)
    if slots < workers:
        raise JobError(
            f"{workers} workers were asked for, the cluster has room for {slots}",
            remedy="Lower train_workers or raise core_count.",
        )
    barrier = spark.sparkContext.parallelize(range(workers), workers).barrier()
    results = barrier.mapPartitions(_Worker(body)).collect()
    for result in results:
        if isinstance(result, _Refusal):
            raise result.error
    return [result for result in results if not isinstance(result, _Refusal)]


@dataclass(frozen=True)
class _Refusal:
    """What trying again would not change, so it comes back as a value: an exception would make Spark try again."""

    error: JobError


@dataclass(frozen=True)
class _Worker(Generic[T]):
    body: Callable[[Placement], T]

    def __call__(self, _: Iterable[int]) -> Iterable[T | _Refusal]:
        from pyspark import BarrierTaskContext

        form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
        logging.basicConfig(level=logging.INFO, format=form, stream=sys.stderr)
        context = BarrierTaskContext.get()
        rank = context.partitionId()
        host = context.getTaskInfos()[rank].address.partition(":")[0]
        addresses = context.allGather(f"{host}:{free_port()}")
        try:
            yield self.body(Placement(rank, tuple(addresses)))
        except StorageError:
            raise
        except JobError as error:
            yield _Refusal(error)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port
