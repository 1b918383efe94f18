"""The account that the stack runs in: credentials, the bucket and the roles a deployment would have made."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local_stack.config import BUCKET, REGION, StackConfig

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


def _client(config: StackConfig, service: Literal["s3", "emr", "iam"]) -> Any:
    env = environment(config)
    return boto3.client(
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
    """Make the bucket, the service role and the instance profile, where they are missing."""
    _unless_there(lambda: s3(config).create_bucket(Bucket=BUCKET))
    iam = _client(config, "iam")
    for role, service in (("DermaflowEmrService", "elasticmapreduce"), ("DermaflowEmrNode", "ec2")):
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
        _unless_there(
            lambda role=role, trust=trust: iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))
        )
    _unless_there(lambda: iam.create_instance_profile(InstanceProfileName="DermaflowEmrNode"))
    _unless_there(
        lambda: iam.add_role_to_instance_profile(InstanceProfileName="DermaflowEmrNode", RoleName="DermaflowEmrNode")
    )


def clusters_alive(config: StackConfig) -> list[str]:
    """Name and state of every cluster that would still cost money."""
    pages = emr(config).get_paginator("list_clusters").paginate(ClusterStates=ACTIVE)
    return [f"{c['Name']} ({c['Id']}, {c['Status']['State']})" for page in pages for c in page["Clusters"]]


def inherited() -> dict[str, str]:
    """This process's environment without what would point a child at a real account or another Python."""
    drop = ("AWS_", "AIRFLOW", "PYTHON", "SPARK_", "VIRTUAL_ENV", "DERMAFLOW_")
    keep = {"AWS_CA_BUNDLE"}
    return {k: v for k, v in os.environ.items() if k in keep or not k.startswith(drop)}


def _unless_there(create: Any) -> None:
    try:
        create()
    except ClientError as error:
        there = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists", "EntityAlreadyExists", "LimitExceeded"}
        if error.response["Error"]["Code"] not in there:
            raise
