"""Runs a picklable callable over chunks on Spark, telling how far it is."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import TYPE_CHECKING, TypeVar

from dermaflow_jobs.runtime.errors import JobError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

T = TypeVar("T")
V = TypeVar("V")
POLL_S = 0.5


def run_chunks(
    spark: SparkSession,
    chunks: Sequence[T],
    work: Callable[[T], V],
    weight: Callable[[T], int],
    report: Callable[[int], None],
) -> list[V]:
    """Results in the order of the chunks, a task each. `report` gets the summed weight of the chunks done so far.

    Raises JobError with the executor's own error where a task failed as often as Spark allows.
    """
    if not chunks:
        return []
    context = spark.sparkContext
    done = context.accumulator(0)

    def run(chunk: T) -> V:
        result = work(chunk)
        done.add(weight(chunk))
        return result

    tasks = context.parallelize(chunks, len(chunks)).map(run)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(tasks.collect)
        while True:
            report(done.value)
            try:
                return future.result(timeout=POLL_S)
            except NotYet:
                continue
            except Exception as error:
                raise JobError(
                    f"an executor failed: {root_cause(str(error))}",
                    remedy="The executors' own logs are below LogUri under containers/. Exit code 137 or 143 there "
                    "means memory: raise spark.executor.memoryOverhead.",
                ) from error


def root_cause(text: str) -> str:
    """The Python exception that Spark's wall of text is about: the last line like `SomeError: …` in it."""
    found = re.findall(r"^(?:[\w.]+\.)?(\w*(?:Error|Exception)): (.+)$", text, flags=re.MULTILINE)
    ours = [f"{name}: {message}" for name, message in found if name not in {"Py4JJavaError", "PythonException"}]
    return ours[-1] if ours else text[:500]
