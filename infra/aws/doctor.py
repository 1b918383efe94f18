"""Looks at an account and says what is missing, with a remedy each. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from aws import certificate
from aws.deployment import Account, Deployment, template
from aws.stacks import Stacks

Verdict = Literal["ok", "missing", "unknown"]
DEPLOY: Final = "make deploy"
QUOTAS: Final = {
    "L-1216C47A": ("vCPUs of on-demand standard instances", 32, "two runs of size standard side by side"),
    "L-34B43A08": ("vCPUs of spot standard instances", 32, "spot_task_nodes"),
    "L-DB2E81BA": ("vCPUs of on-demand G instances", 8, "cluster_size gpu"),
}
"""Code of EC2's quota: what it counts, how many are wanted, by what."""


@dataclass(frozen=True)
class Finding:
    subject: str
    verdict: Verdict
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Patient:
    account: Account
    wanted: Deployment

    def client(self, service: str) -> Any:
        return self.account.client(service)

    @property
    def stacks(self) -> Stacks:
        return Stacks(self.client("cloudformation"))


def examine(patient: Patient) -> list[Finding]:
    """Everything, whatever else is wrong; nothing more where nobody lets us in."""
    try:
        who = patient.client("sts").get_caller_identity()["Arn"]
    except (ClientError, BotoCoreError) as error:
        remedy = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_REGION"
        return [Finding("identity", "missing", str(error), remedy)]
    found = [Finding("identity", "ok", f"{who} in {patient.account.region}")]
    for name, check in CHECKS.items():
        try:
            found += check(patient)
        except (ClientError, BotoCoreError) as error:
            found.append(Finding(name, "unknown", f"cannot be looked up: {error}", "look with an identity that may"))
    return found


def check_stacks(patient: Patient) -> Iterator[Finding]:
    wanted = patient.wanted
    names = {wanted.account_stack: "account"} | ({} if wanted.subnets else {wanted.network_stack: "network"})
    for name, which in names.items():
        stack = patient.stacks.find(name)
        if stack is None:
            yield Finding(f"stack {name}", "missing", "is not there", DEPLOY)
        elif not stack["StackStatus"].endswith("_COMPLETE") or "ROLLBACK" in stack["StackStatus"]:
            yield Finding(f"stack {name}", "missing", f"is {stack['StackStatus']}", f"see its events, then {DEPLOY}")
        elif patient.stacks.template(name) != template(which):
            yield Finding(f"stack {name}", "missing", "was deployed from another version of the template", DEPLOY)
        else:
            yield Finding(f"stack {name}", "ok", stack["StackStatus"])


def check_bucket(patient: Patient) -> Iterator[Finding]:
    """What the template asks of the bucket; one that was there before may lack it."""
    s3, bucket = patient.client("s3"), patient.wanted.bucket
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        yield Finding(f"bucket {bucket}", "missing", str(error), DEPLOY)
        return
    yield Finding(f"bucket {bucket}", "ok", "is there")
    for subject, look, good, remedy in _bucket_settings(s3, bucket):
        try:
            answer = look()
        except ClientError as error:
            if not error.response["Error"]["Code"].startswith(("NoSuch", "ServerSideEncryptionConfigurationNotFound")):
                raise
            yield Finding(subject, "missing", "is not set", remedy)
            continue
        yield Finding(subject, "ok", "is set") if good(answer) else Finding(subject, "missing", "is not on", remedy)


def _bucket_settings(s3: Any, bucket: str) -> Iterator[tuple[str, Callable[[], Any], Callable[[Any], bool], str]]:
    """Subject, how to look, what is good, how to mend it."""
    api = f"aws s3api {{}} --bucket {bucket}"
    yield (
        "versioning",
        lambda: s3.get_bucket_versioning(Bucket=bucket),
        lambda answer: answer.get("Status") == "Enabled",
        api.format("put-bucket-versioning") + " --versioning-configuration Status=Enabled",
    )
    yield (
        "public access block",
        lambda: s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
        lambda answer: all(answer.values()),
        api.format("put-public-access-block") + " --public-access-block-configuration BlockPublicAcls=true,"
        "IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true",
    )
    yield "encryption", lambda: s3.get_bucket_encryption(Bucket=bucket), bool, api.format("put-bucket-encryption")
    yield (
        "only over TLS",
        lambda: s3.get_bucket_policy(Bucket=bucket)["Policy"],
        lambda answer: "aws:SecureTransport" in answer,
        DEPLOY,
    )
    yield (
        "lifecycle",
        lambda: s3.get_bucket_lifecycle_configuration(Bucket=bucket),
        bool,
        api.format("put-bucket-lifecycle-configuration") + "; the rules are in infra/aws/account.yaml",
    )


def check_roles(patient: Patient) -> Iterator[Finding]:
    iam, name = patient.client("iam"), patient.wanted.name
    for role in (f"{name}EmrService", f"{name}EmrNode", f"{name}Airflow"):
        yield _there(f"role {role}", partial(iam.get_role, RoleName=role), "NoSuchEntity", DEPLOY)
    profile = f"{name}EmrNode"

    def look() -> object:
        return iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Roles"][0]

    yield _there(f"instance profile {profile}", look, "NoSuchEntity", DEPLOY)
    for service, what in (("spot", "spot nodes"), ("elasticmapreduce", "EMR's clean-up after a deleted role")):
        role = {"spot": "AWSServiceRoleForEC2Spot", "elasticmapreduce": "AWSServiceRoleForEMRCleanup"}[service]
        remedy = f"aws iam create-service-linked-role --aws-service-name {service}.amazonaws.com   (for {what})"
        yield _there(f"role {role}", partial(iam.get_role, RoleName=role), "NoSuchEntity", remedy)


def check_security_configuration(patient: Patient) -> Iterator[Finding]:
    emr, name = patient.client("emr"), f"{patient.wanted.name}-1"
    look = partial(emr.describe_security_configuration, Name=name)
    yield _there(f"security configuration {name}", look, "InvalidRequestException", DEPLOY)


def check_certificate(patient: Patient) -> Iterator[Finding]:
    key = patient.wanted.certificate_key
    s3, subject = patient.client("s3"), "certificate between nodes"
    try:
        archive = s3.get_object(Bucket=patient.wanted.bucket, Key=key)["Body"].read()
        until = certificate.expires(archive)
    except ClientError as error:
        if not error.response["Error"]["Code"].startswith("NoSuch"):
            raise
        yield Finding(subject, "missing", f"{key} is not there: no cluster would start", DEPLOY)
        return
    except (ValueError, KeyError) as error:
        yield Finding(subject, "missing", f"{key} is no certificate: {error}", f"delete it, then {DEPLOY}")
        return
    due = certificate.is_due(archive, certificate.utc_now())
    yield Finding(subject, "missing" if due else "ok", f"valid until {until:%Y-%m-%d}", DEPLOY if due else "")


def check_topic(patient: Patient) -> Iterator[Finding]:
    topic = patient.stacks.outputs(patient.wanted.account_stack).get("TopicArn")
    if topic is None:
        return
    listed = patient.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    waiting = [each["Endpoint"] for each in listed if each["SubscriptionArn"] == "PendingConfirmation"]
    if waiting:
        yield Finding("notifications", "missing", f"{waiting[0]} has not agreed", "follow the link in AWS's mail to it")
    elif not listed:
        yield Finding("notifications", "missing", "nobody gets them", "make deploy EMAIL=you@example.org")
    else:
        yield Finding("notifications", "ok", ", ".join(each["Endpoint"] for each in listed))


def check_cost_tag(patient: Patient) -> Iterator[Finding]:
    tag = "dermaflow:deployment"
    answer = patient.client("ce").list_cost_allocation_tags(TagKeys=[tag])["CostAllocationTags"]
    if answer and answer[0]["Status"] == "Active":
        yield Finding("budget's tag", "ok", f"{tag} is a cost allocation tag")
        return
    remedy = (
        "after the first run: aws ce update-cost-allocation-tags-status"
        f" --cost-allocation-tags-status TagKey={tag},Status=Active"
    )
    yield Finding("budget's tag", "missing", f"{tag} is no cost allocation tag: the budget counts nothing", remedy)


def check_quotas(patient: Patient) -> Iterator[Finding]:
    quotas = patient.client("service-quotas")
    for code, (what, least, by) in QUOTAS.items():
        try:
            value = quotas.get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]["Value"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchResourceException":
                raise
            value = 0.0
        remedy = (
            f"aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {code}"
            f" --desired-value {least}"
        )
        enough = value >= least
        found = f"{value:.0f}; {by} wants {least}"
        yield Finding(f"quota: {what}", "ok" if enough else "missing", found, "" if enough else remedy)


def _there(subject: str, look: Callable[[], object], absent: str, remedy: str) -> Finding:
    try:
        look()
    except ClientError as error:
        if error.response["Error"]["Code"] != absent:
            return Finding(subject, "unknown", f"cannot be looked up: {error}", "look with an identity that may")
        return Finding(subject, "missing", "is not there", remedy)
    except IndexError:
        return Finding(subject, "missing", "is empty", remedy)
    return Finding(subject, "ok", "is there")


CHECKS: Final[dict[str, Callable[[Patient], Iterator[Finding]]]] = {
    "stacks": check_stacks,
    "bucket": check_bucket,
    "roles": check_roles,
    "security configuration": check_security_configuration,
    "certificate between nodes": check_certificate,
    "notifications": check_topic,
    "budget's tag": check_cost_tag,
    "quotas": check_quotas,
}
