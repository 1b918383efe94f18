"""Does the account have what the cluster needs: identity, roles, release, machines, network, encryption?"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.providers.amazon.aws.hooks.emr import EmrHook
from botocore.exceptions import BotoCoreError, ClientError

from dermaflow.aws import PATIENT, code_of
from dermaflow.checks.problem import Problem, excuse
from dermaflow.emr.instance_types import INSTANCE_TYPES, same_size
from dermaflow_jobs.contract.options import ClusterOptions

BRIEF: Final[dict[str, Any]] = PATIENT | {"retries": {"mode": "standard", "total_max_attempts": 4}}
"""Nobody waits a minute to be told of a mistyped endpoint."""


@dataclass(frozen=True)
class Account:
    problems: list[Problem]
    types: frozenset[str]
    """Instance types that the release runs on in this region; empty where they could not be looked up."""


def check_account(emr: EmrHook, aws_conn_id: str | None, cluster: ClusterOptions) -> Account:
    iam = _client("iam", emr, aws_conn_id)
    types, release = _release(emr.conn, cluster)
    problems = [
        *_role(iam, cluster),
        *_instance_profile(iam, cluster),
        *release,
        *_known_types(cluster),
        *_fallback_types(cluster, types),
        *_network(emr, aws_conn_id, cluster),
        *_security_configuration(emr.conn, cluster.security_configuration),
    ]
    return Account(problems, types)


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


def _release(emr: Any, cluster: ClusterOptions) -> tuple[frozenset[str], list[Problem]]:
    """The release, and the instance types in it."""
    subject = "release_label"
    try:
        pages = _pages(emr.list_release_labels, "ReleaseLabels", "NextToken")
        labels = [label for page in pages for label in page]
        if cluster.release_label not in labels:
            return frozenset(), [_unknown(subject, cluster.release_label, labels, "EMR has no such release here")]
        types = _supported_types(emr, cluster.release_label)
        return types, _unsupported(cluster, types)
    except (ClientError, BotoCoreError) as error:
        excuse(error, subject)
        remedy = "allow elasticmapreduce:ListReleaseLabels and ListSupportedInstanceTypes to the connection's identity"
        return frozenset(), [Problem(subject, f"cannot be looked up: {error}", remedy)]


def _supported_types(emr: Any, release: str) -> frozenset[str]:
    pages = _pages(emr.list_supported_instance_types, "SupportedInstanceTypes", "Marker", ReleaseLabel=release)
    return frozenset(kind["Type"] for page in pages for kind in page)


def _unsupported(cluster: ClusterOptions, types: frozenset[str]) -> list[Problem]:
    found = f"{cluster.release_label} does not run on it in this region"
    return [
        _unknown(subject, kind, types & set(INSTANCE_TYPES), found)
        for subject, kind in _named_types(cluster)
        if kind in INSTANCE_TYPES and kind not in types
    ]


def _named_types(cluster: ClusterOptions) -> list[tuple[str, str]]:
    """Parameter and type, for every type that the user names."""
    own = [("primary_type", cluster.primary_type), ("core_type", cluster.core_type)]
    return [*own, *(("fallback_types", kind) for kind in cluster.fallback_types)]


def _fallback_types(cluster: ClusterOptions, types: frozenset[str]) -> list[Problem]:
    """Spark's settings are reckoned from one size: what stands in for a type must have it."""
    alike = {*same_size(cluster.primary_type), *same_size(cluster.core_type)}
    hint = f"take e.g. {', '.join(sorted(alike & (types or alike)))}, or leave it empty"
    return [
        Problem("fallback_types", f"{kind} has not the size (or nearly the price) of the others", hint)
        for kind in cluster.fallback_types
        if kind in INSTANCE_TYPES and kind not in alike | {cluster.primary_type, cluster.core_type}
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
        for subject, wanted in _named_types(cluster)
        if wanted not in INSTANCE_TYPES
    ]


def _unknown(subject: str, wanted: str, known: Iterable[str], found: str) -> Problem:
    near = difflib.get_close_matches(wanted, names := sorted(known), n=3, cutoff=0.5)
    hint = f"take e.g. {', '.join(near)}" if near else f"known are {', '.join(names[:8])} …"
    return Problem(subject, f"{wanted}: {found}", hint)


def _network(emr: EmrHook, aws_conn_id: str | None, cluster: ClusterOptions) -> list[Problem]:
    groups = (cluster.primary_security_group, cluster.core_security_group, cluster.service_security_group)
    wanted = [("subnet_ids", "ec2:DescribeSubnets", name) for name in cluster.subnet_ids]
    wanted += [("security group", "ec2:DescribeSecurityGroups", name) for name in groups if name]
    if not wanted:
        return []
    ec2 = _client("ec2", emr, aws_conn_id)
    look = {
        "subnet_ids": lambda name: ec2.describe_subnets(SubnetIds=[name]),
        "security group": lambda name: ec2.describe_security_groups(GroupIds=[name]),
    }
    problems = []
    for what, action, name in wanted:
        subject = f"{what} {name}"
        try:
            look[what](name)
        except (ClientError, BotoCoreError) as error:
            excuse(error, subject)
            if "NotFound" in code_of(error):
                remedy = "name one of this account and region, or leave it empty for the default"
                problems.append(Problem(subject, "does not exist here", remedy))
                continue
            remedy = f"allow {action} to the Airflow connection's identity"
            problems.append(Problem(subject, f"cannot be looked up: {error}", remedy))
    return problems


def _security_configuration(emr: Any, name: str | None) -> list[Problem]:
    if name is None:
        return []
    subject = f"security_configuration {name}"
    try:
        emr.describe_security_configuration(Name=name)
    except (ClientError, BotoCoreError) as error:
        excuse(error, subject)
        if code_of(error) in {"InvalidRequestException", "ValidationException"}:
            return [Problem(subject, "does not exist here", "deploy infra/aws, or leave it empty for none")]
        remedy = "allow elasticmapreduce:DescribeSecurityConfiguration to the Airflow connection's identity"
        return [Problem(subject, f"cannot be looked up: {error}", remedy)]
    return []
