"""Puts workers on executors: a barrier stage starts them all at once or not at all.

Spark is no more than a way to call one picklable function. The work counts as a YARN application, and the driver,
which may share its node with others, stays idle.
"""

from __future__ import annotations

import logging
import re
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.runtime.spark import executor_slots

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

T = TypeVar("T")


class WorkersLostError(JobError):
    """A worker died, or failed in a way that it could not explain itself."""


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
    builder = SparkSession.builder.appName(f"dermaflow {step}").config("spark.python.worker.reuse", "false")
    if not given.get("spark.master", "local[*]").startswith("local"):
        builder = (
            builder.config("spark.dynamicAllocation.enabled", "false")
            .config("spark.executor.instances", str(workers))
            .config("spark.task.cpus", given.get("spark.executor.cores", "1"))
        )
    return builder.getOrCreate()


def run_on_executors(spark: SparkSession, workers: int, body: Callable[[Placement], T]) -> list[T]:
    """Call `body` on that many executors at once; the results, by rank.

    Raises a worker's own JobError as it was; WorkersLostError where one died or failed otherwise. Spark then stops the
    others, and never starts a barrier stage of this kind again by itself.
    """
    from py4j.protocol import Py4JJavaError

    slots = executor_slots(spark)
    if slots < workers:
        raise JobError(
            f"{workers} workers were asked for, the cluster has room for {slots}",
            remedy="Lower train_workers or raise core_count.",
        )
    barrier = spark.sparkContext.parallelize(range(workers), workers).barrier()
    try:
        results = barrier.mapPartitions(_Worker(body)).collect()
    except Py4JJavaError as error:
        raise WorkersLostError(
            f"{workers} workers were stopped because one failed: {reason(str(error.java_exception.getMessage()))}",
            remedy="Run the step again: a training goes on from its last checkpoint. If the container was killed"
            " (exit code 137 or 143), give executors more memory overhead.",
        ) from error
    for result in results:
        if isinstance(result, _Refusal):
            raise result.error
    return [result for result in results if not isinstance(result, _Refusal)]


def reason(message: str) -> str:
    """The one line of Spark's report on a failed stage that says what happened to the worker."""
    lines = [line for line in message.splitlines() if line and not line[0].isspace()]
    told = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Interrupt|Exit)\b", line)]
    return (told or lines or ["no reason given"])[-1][:1000]


@dataclass(frozen=True)
class _Refusal:
    """An error that says itself what to do: it comes back as a value, for an exception would come back as Java's."""

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
        except JobError as error:
            yield _Refusal(error)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port
