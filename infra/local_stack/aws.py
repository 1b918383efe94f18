"""The account that the stack runs in: credentials, the bucket and the roles a deployment would have made."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from aws.deploy import deploy, write_settings
from aws.deployment import Account, Deployment
from aws.stacks import StackFailedError
from local_stack.config import BUCKET, REGION, StackConfig
from local_stack.processes import StackError

if TYPE_CHECKING:
    from mypy_boto3_emr.client import EMRClient
    from mypy_boto3_s3.client import S3Client

ACCESS_KEY = "dermaflow-local"
ACTIVE: list[Literal["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING"]] = [
    "STARTING",
    "BOOTSTRAPPING",
    "RUNNING",
    "WAITING",
    "TERMINATING",
]


def environment(config: StackConfig) -> dict[str, str]:
    """What a shell needs to use the local account with any AWS tool."""
    return {
        "AWS_ENDPOINT_URL": config.aws_url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": config.secrets["aws_secret_key"],
    }


def airflow_connection(config: StackConfig) -> str:
    """The `aws_default` connection: nothing but the endpoint URL differs from a real account's."""
    return json.dumps(
        {
            "conn_type": "aws",
            "login": ACCESS_KEY,
            "password": config.secrets["aws_secret_key"],
            "extra": {"region_name": REGION, "endpoint_url": config.aws_url},
        }
    )


def _client(config: StackConfig, service: str) -> Any:
    env = environment(config)
    sdk: Any = boto3  # its stubs want each service's name spelt out
    return sdk.client(
        service,
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=REGION,
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"mode": "standard", "max_attempts": 3}),
    )


def s3(config: StackConfig) -> S3Client:
    client: S3Client = _client(config, "s3")
    return client


def emr(config: StackConfig) -> EMRClient:
    client: EMRClient = _client(config, "emr")
    return client


def found_account(config: StackConfig) -> None:
    """Deploy the templates of infra/aws where that has not been done, and keep what Airflow must know of them."""
    account = Account(lambda service: _client(config, service), REGION)
    try:
        outputs = deploy(account, Deployment(bucket=BUCKET))
    except (StackFailedError, ClientError) as error:
        raise StackError(f"local AWS cannot be set up ({error}); `make clean` makes a new one") from error
    # Clusters come and go, this machine stays, and with it the environment that the first of them built.
    write_settings(outputs, config.defaults, environment_archive=False)


def clusters_alive(config: StackConfig) -> list[str]:
    """Name and state of every cluster that would still cost money."""
    pages = emr(config).get_paginator("list_clusters").paginate(ClusterStates=ACTIVE)
    return [f"{c['Name']} ({c['Id']}, {c['Status']['State']})" for page in pages for c in page["Clusters"]]


def inherited() -> dict[str, str]:
    """This process's environment without what would point a child at a real account or another Python."""
    drop = ("AWS_", "AIRFLOW", "PYTHON", "SPARK_", "VIRTUAL_ENV", "DERMAFLOW_")
    keep = {"AWS_CA_BUNDLE"}
    return {k: v for k, v in os.environ.items() if k in keep or not k.startswith(drop)}
