"""The Spark session. What is set here is about the job; memory and Python paths come from the step's arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def spark_session(step: str) -> SparkSession:
    from pyspark.sql import SparkSession

    return SparkSession.builder.appName(f"dermaflow {step}").getOrCreate()


def executor_slots(spark: SparkSession) -> int:
    """Tasks that run at once on the cluster. On YARN executors arrive by and by; this is what is asked for."""
    conf = spark.sparkContext.getConf()
    executors = int(conf.get("spark.executor.instances", "0"))
    cores = int(conf.get("spark.executor.cores", "1"))
    task_cpus = int(conf.get("spark.task.cpus", "1"))
    return executors * max(1, cores // task_cpus) or spark.sparkContext.defaultParallelism
