"""The step as a driver of its own, on a Spark of two executor processes; started by test_lost_executor."""

import sys

from pyspark.sql import SparkSession

from dermaflow_jobs.preprocess.job import preprocess
from dermaflow_jobs.runtime.step import run_step

if __name__ == "__main__":
    builder = SparkSession.builder.master("local-cluster[2,1,512]").config("spark.executor.memory", "512m")
    settings = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    for name, value in settings.items():
        builder = builder.config(name, value)
    builder.getOrCreate()
    run_step("preprocess", preprocess, sys.argv[1:])
