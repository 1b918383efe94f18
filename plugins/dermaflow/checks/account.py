"""Does the account have what the cluster needs: identity, roles, release, machines, subnet?"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.providers.amazon.aws.hooks.emr import EmrHook
from botocore.exceptions import BotoCoreError, ClientError

from dermaflow.aws import PATIENT, code_of
from dermaflow.checks.problem import Problem, excuse
from dermaflow.emr.instance_types import INSTANCE_TYPES
from dermaflow_jobs.contract.options import ClusterOptions

BRIEF: Final[dict[str, Any]] = PATIENT | {"retries": {"mode": "standard", "total_max_attempts": 4}}
"""Nobody waits a minute to be told of a mistyped endpoint."""


def check_account(emr: EmrHook, aws_conn_id: str | None, cluster: ClusterOptions) -> list[Problem]:
    iam = _client("iam", emr, aws_conn_id)
    return [
        *_role(iam, cluster),
        *_instance_profile(iam, cluster),
        *_release(emr.conn, cluster),
        *_known_types(cluster),
        *_subnet(emr, aws_conn_id, cluster.subnet_id),
    ]


def check_identity(emr: EmrHook, aws_conn_id: str | None) -> list[Problem]:
    """Are we let in at all? If not, nothing else of AWS can be looked at."""
    try:
        _client("sts", emr, aws_conn_id, BRIEF).get_caller_identity()
    except (ClientError, BotoCoreError) as error:
        excuse(error, "AWS connection")
        remedy = f"correct the credentials or endpoint of the Airflow connection {aws_conn_id!r}"
        return [Problem("AWS connection", f"AWS does not take it: {error}", remedy)]
    return []


def _client(service: str, emr: EmrHook, aws_conn_id: str | None, config: dict[str, Any] = PATIENT) -> Any:
    return AwsBaseHook(aws_conn_id=aws_conn_id, client_type=service, region_name=emr.region_name, config=config).conn


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
    excuse(error, subject)
    if code_of(error) == "NoSuchEntity":
        return Problem(subject, "does not exist in this account", "deploy infra/aws, or name one that exists")
    return Problem(subject, f"cannot be looked up: {error}", f"allow {action} to the Airflow connection's identity")


def _release(emr: Any, cluster: ClusterOptions) -> list[Problem]:
    """The release, and the instance types in it."""
    subject = "release_label"
    try:
        pages = _pages(emr.list_release_labels, "ReleaseLabels", "NextToken")
        labels = [label for page in pages for label in page]
        if cluster.release_label not in labels:
            return [_unknown(subject, cluster.release_label, labels, "EMR has no such release here")]
        return _supported_types(emr, cluster)
    except (ClientError, BotoCoreError) as error:
        excuse(error, subject)
        remedy = "allow elasticmapreduce:ListReleaseLabels and ListSupportedInstanceTypes to the connection's identity"
        return [Problem(subject, f"cannot be looked up: {error}", remedy)]


def _supported_types(emr: Any, cluster: ClusterOptions) -> list[Problem]:
    wanted = {"primary_type": cluster.primary_type, "core_type": cluster.core_type}
    missing = set(wanted.values()) & set(INSTANCE_TYPES)
    for page in _pages(emr.list_supported_instance_types, "SupportedInstanceTypes", "Marker",
                       ReleaseLabel=cluster.release_label):  # fmt: skip
        missing -= {kind["Type"] for kind in page}
        if not missing:
            break
    found = f"{cluster.release_label} does not run on it in this region"
    return [
        _unknown(subject, kind, set(INSTANCE_TYPES) - missing, found)
        for subject, kind in wanted.items()
        if kind in missing
    ]


def _pages(call: Callable[..., Any], items: str, token: str, **arguments: str) -> Iterator[list[Any]]:
    """botocore has no paginators for these."""
    more: dict[str, str] = {}
    while True:
        answer = call(**arguments, **more)
        yield answer.get(items, [])
        if not answer.get(token):
            return
        more = {token: answer[token]}


def _known_types(cluster: ClusterOptions) -> list[Problem]:
    return [
        _unknown(subject, wanted, INSTANCE_TYPES, "neither its size nor its price is known to us")
        for subject, wanted in (("primary_type", cluster.primary_type), ("core_type", cluster.core_type))
        if wanted not in INSTANCE_TYPES
    ]


def _unknown(subject: str, wanted: str, known: Iterable[str], found: str) -> Problem:
    near = difflib.get_close_matches(wanted, names := sorted(known), n=3, cutoff=0.5)
    hint = f"take e.g. {', '.join(near)}" if near else f"known are {', '.join(names[:8])} …"
    return Problem(subject, f"{wanted}: {found}", hint)


def _subnet(emr: EmrHook, aws_conn_id: str | None, subnet_id: str | None) -> list[Problem]:
    if subnet_id is None:
        return []
    subject = f"subnet_id {subnet_id}"
    try:
        _client("ec2", emr, aws_conn_id).describe_subnets(SubnetIds=[subnet_id])
    except (ClientError, BotoCoreError) as error:
        excuse(error, subject)
        if "NotFound" in code_of(error):
            remedy = "name one of this account and region, or leave it empty for the default"
            return [Problem(subject, "does not exist here", remedy)]
        remedy = "allow ec2:DescribeSubnets to the Airflow connection's identity"
        return [Problem(subject, f"cannot be looked up: {error}", remedy)]
    return []
