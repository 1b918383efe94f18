"""Does the account have what the cluster needs: identity, roles, release, machines, subnet?"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any, Final

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.providers.amazon.aws.hooks.emr import EmrHook
from botocore.exceptions import BotoCoreError, ClientError

from dermaflow.aws import PATIENT, code_of
from dermaflow.checks.problem import Problem
from dermaflow.emr.instance_types import INSTANCE_TYPES
from dermaflow_jobs.contract.options import ClusterOptions

UNSUPPORTED: Final = frozenset(
    {"NotImplemented", "NotImplementedError", "UnknownOperationException", "InternalFailure"}
)
"""What a server says that does not know a call; the check is left out then, and said so."""


def check_account(emr: EmrHook, aws_conn_id: str | None, cluster: ClusterOptions) -> list[Problem]:
    problems = _identity(emr, aws_conn_id)
    if problems:
        return problems
    iam, ec2 = _client("iam", emr, aws_conn_id), _client("ec2", emr, aws_conn_id)
    return [
        *_role(iam, cluster),
        *_instance_profile(iam, cluster),
        *_release(emr.conn, cluster),
        *_instance_types(cluster),
        *_subnet(ec2, cluster),
    ]


def _client(service: str, emr: EmrHook, aws_conn_id: str | None) -> Any:
    return AwsBaseHook(aws_conn_id=aws_conn_id, client_type=service, region_name=emr.region_name, config=PATIENT).conn


def _identity(emr: EmrHook, aws_conn_id: str | None) -> list[Problem]:
    try:
        _client("sts", emr, aws_conn_id).get_caller_identity()
    except (ClientError, BotoCoreError) as error:
        remedy = f"correct the credentials or endpoint of the Airflow connection {aws_conn_id!r}"
        return [Problem("AWS connection", f"AWS does not take it: {error}", remedy)]
    return []


def _role(iam: Any, cluster: ClusterOptions) -> list[Problem]:
    name = cluster.service_role.rsplit("/", 1)[-1]
    subject = f"service_role {name}"
    try:
        iam.get_role(RoleName=name)
    except (ClientError, BotoCoreError) as error:
        return [_iam_problem(subject, error, "iam:GetRole")]
    return []


def _instance_profile(iam: Any, cluster: ClusterOptions) -> list[Problem]:
    name = cluster.instance_profile.rsplit("/", 1)[-1]
    subject = f"instance_profile {name}"
    try:
        profile = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    except (ClientError, BotoCoreError) as error:
        return [_iam_problem(subject, error, "iam:GetInstanceProfile")]
    if not profile["Roles"]:
        return [
            Problem(subject, "has no role in it", "add the nodes' role to it: aws iam add-role-to-instance-profile")
        ]
    return []


def _iam_problem(subject: str, error: Exception, action: str) -> Problem:
    if code_of(error) == "NoSuchEntity":
        return Problem(subject, "does not exist in this account", "deploy infra/aws, or name one that exists")
    return Problem(subject, f"cannot be looked up: {error}", f"allow {action} to the Airflow connection's identity")


def _release(emr: Any, cluster: ClusterOptions) -> list[Problem]:
    try:
        pages = _release_labels(emr)
    except (ClientError, BotoCoreError) as error:
        if code_of(error) in UNSUPPORTED:
            return []
        remedy = "allow elasticmapreduce:ListReleaseLabels to the Airflow connection's identity"
        return [Problem("release_label", f"cannot be looked up: {error}", remedy)]
    if cluster.release_label in pages:
        return []
    return [_unknown("release_label", cluster.release_label, pages, "EMR has no such release here")]


def _release_labels(emr: Any) -> list[str]:
    labels: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = emr.list_release_labels(**token)
        labels += answer.get("ReleaseLabels", [])
        if not answer.get("NextToken"):
            return labels
        token = {"NextToken": answer["NextToken"]}


def _instance_types(cluster: ClusterOptions) -> list[Problem]:
    return [
        _unknown(name, wanted, INSTANCE_TYPES, "neither its size nor its price is known to us")
        for name, wanted in (("primary_type", cluster.primary_type), ("core_type", cluster.core_type))
        if wanted not in INSTANCE_TYPES
    ]


def _unknown(subject: str, wanted: str, known: Sequence[str] | dict[str, Any], found: str) -> Problem:
    near = difflib.get_close_matches(wanted, list(known), n=3, cutoff=0.5)
    hint = f"take e.g. {', '.join(near)}" if near else f"known are {', '.join(sorted(known)[:8])} …"
    return Problem(subject, f"{wanted}: {found}", hint)


def _subnet(ec2: Any, cluster: ClusterOptions) -> list[Problem]:
    if cluster.subnet_id is None:
        return []
    subject = f"subnet_id {cluster.subnet_id}"
    try:
        ec2.describe_subnets(SubnetIds=[cluster.subnet_id])
    except (ClientError, BotoCoreError) as error:
        if "NotFound" in code_of(error):
            remedy = "name one of this account and region, or leave it empty for the default"
            return [Problem(subject, "does not exist here", remedy)]
        remedy = "allow ec2:DescribeSubnets to the Airflow connection's identity"
        return [Problem(subject, f"cannot be looked up: {error}", remedy)]
    return []
