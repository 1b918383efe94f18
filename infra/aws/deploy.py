"""Makes a deployment true, and says in one file what Airflow must know of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

from aws import certificate
from aws.deployment import Account, Deployment, template
from aws.stacks import Stacks

Settings = dict[str, str | list[str] | bool]
NOT_SETTINGS: Final = frozenset({"AirflowRoleArn", "AirflowPolicyArn", "AutoScalingRole", "TopicArn"})
"""Outputs that are for people."""


def deploy(account: Account, wanted: Deployment) -> dict[str, str]:
    """The outputs of both stacks. Raises StackFailedError."""
    stacks = Stacks(account.client("cloudformation"))
    outputs: dict[str, str] = {"SubnetIds": ",".join(wanted.subnets)}
    if not wanted.subnets:
        outputs = stacks.deploy(wanted.network_stack, template("network"), wanted.network_parameters())
    parameters = wanted.account_parameters(makes_bucket=_makes_bucket(account, stacks, wanted))
    outputs |= stacks.deploy(wanted.account_stack, template("account"), parameters)
    renew_certificate(account.client("s3"), wanted, account.region)
    return outputs


def _makes_bucket(account: Account, stacks: Stacks, wanted: Deployment) -> bool:
    """A bucket that is there stays whose it is; one that an earlier stack left behind is used again."""
    before = stacks.parameters(wanted.account_stack)
    if before.get("BucketName") == wanted.bucket:
        return before.get("MakesBucket", "yes") == "yes"
    try:
        account.client("s3").head_bucket(Bucket=wanted.bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchBucket"}:
            return True
        raise
    return False


def renew_certificate(s3: Any, wanted: Deployment, region: str) -> bool:
    """Put one where it is missing or will soon be over. Clusters that run keep theirs."""
    now = certificate.utc_now()
    if not certificate.is_due(_object(s3, wanted.bucket, wanted.certificate_key), now):
        return False
    s3.put_object(Bucket=wanted.bucket, Key=wanted.certificate_key, Body=certificate.make(region, now))
    return True


def _object(s3: Any, bucket: str, key: str) -> bytes | None:
    try:
        body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise
    return body


def settings(outputs: Mapping[str, str]) -> Settings:
    """Defaults of a run's parameters by their names: what DERMAFLOW_DEFAULTS names a file of."""
    found: Settings = {snake(key): value for key, value in outputs.items() if key not in NOT_SETTINGS and value}
    found["root"] = outputs["Root"].rstrip("/")
    if "subnet_ids" in found:
        found["subnet_ids"] = outputs["SubnetIds"].split(",")
    return found


def snake(name: str) -> str:
    """`SubnetIds` is the parameter `subnet_ids`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def write_settings(outputs: Mapping[str, str], path: Path, **more: str | bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings(outputs) | more, indent=1) + "\n")


def destroy(account: Account, wanted: Deployment) -> list[str]:
    """Names of the stacks that were there. The bucket and its key are retained by the template."""
    stacks = Stacks(account.client("cloudformation"))
    there = [name for name in (wanted.account_stack, wanted.network_stack) if stacks.find(name)]
    for name in there:
        stacks.delete(name)
    return there


def clusters_alive(account: Account, deployment: str) -> list[str]:
    """Ids of clusters with our tag that cost money still."""
    emr = account.client("emr")
    states: Any = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING"]
    pages = emr.get_paginator("list_clusters").paginate(ClusterStates=states)
    ids = [each["Id"] for page in pages for each in page["Clusters"]]
    tags = {each: emr.describe_cluster(ClusterId=each)["Cluster"].get("Tags", []) for each in ids}
    mine = {"Key": "dermaflow:deployment", "Value": deployment}
    return [cluster_id for cluster_id, its_tags in tags.items() if mine in its_tags]
