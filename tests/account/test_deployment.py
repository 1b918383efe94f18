"""The templates of infra/aws on a stand-in account: what `make deploy`, `make doctor` and `make destroy` do."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "local_aws"))

from botocore.exceptions import ClientError
from stand_in import StandIn

from aws import certificate
from aws.deploy import deploy, destroy, settings
from aws.deployment import Account, Deployment, template
from aws.doctor import Finding, Patient, examine
from aws.stacks import Stacks
from dermaflow.form import read_form
from dermaflow_jobs.contract.options import RunOptions

WANTED = Deployment(bucket="lesions-of-a-clinic", email="on-call@example.org")
PASSED_OVER = {"AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::Budgets::Budget"}
"""What moto's CloudFormation does not know; everything else of the templates is really made."""


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    stand_in = StandIn(tmp_path_factory.mktemp("account")).start()
    yield Account(stand_in.client, "us-east-1")
    stand_in.stop()


@pytest.fixture(scope="module")
def outputs(account: Account) -> dict[str, str]:
    return deploy(account, WANTED)


def test_the_account_has_what_the_templates_say(account: Account, outputs: dict[str, str]) -> None:
    """Every resource is made, but for the three types that moto passes over."""
    for stack, name in ((WANTED.account_stack, "account"), (WANTED.network_stack, "network")):
        made = account.client("cloudformation").list_stack_resources(StackName=stack)["StackResourceSummaries"]
        names = {each["LogicalResourceId"] for each in made if each["ResourceType"]}
        wanted = resources(name)
        assert names == {key for key, kind in wanted.items() if kind not in PASSED_OVER} - left_out(name)
    encryption = account.client("s3").get_bucket_encryption(Bucket=WANTED.bucket)
    rule = encryption["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"]
    assert (rule["SSEAlgorithm"], rule["KMSMasterKeyID"]) == ("aws:kms", outputs["LogKeyArn"])


def test_outputs_are_defaults_of_a_run(
    outputs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every setting is a parameter, and a run that says nothing about the account stands in it."""
    path = tmp_path / "defaults.json"
    path.write_text(json.dumps(settings(outputs)))
    monkeypatch.setenv("DERMAFLOW_DEFAULTS", str(path))
    options, refused = read_form({"core_count": 3})
    assert refused == []
    assert ",".join(options.cluster.subnet_ids) == outputs["SubnetIds"]
    assert options.cluster.security_configuration == "Dermaflow-1"
    assert options.cluster.log_key_arn == outputs["LogKeyArn"]
    assert set(settings(outputs)) - {"root"} <= set(type(options.cluster).model_fields)
    assert read_form({"security_configuration": None})[0].cluster.security_configuration is None
    monkeypatch.delenv("DERMAFLOW_DEFAULTS")
    assert read_form({})[0] == RunOptions()


def test_deploying_again_changes_nothing(account: Account, outputs: dict[str, str]) -> None:
    """Not even the certificate."""
    s3 = account.client("s3")
    before = s3.head_object(Bucket=WANTED.bucket, Key=WANTED.certificate_key)["ETag"]
    assert deploy(account, WANTED) == outputs
    assert s3.head_object(Bucket=WANTED.bucket, Key=WANTED.certificate_key)["ETag"] == before


def test_the_doctor_names_what_is_missing_and_changes_nothing(account: Account, outputs: dict[str, str]) -> None:
    """Of a deployment: what moto lacks, no quotas, no consent yet. Of none: the stacks, the bucket, the roles."""
    found = {each.subject: each for each in examine(Patient(account, WANTED))}
    for subject in (
        "stack dermaflow",
        "stack dermaflow-network",
        "bucket lesions-of-a-clinic",
        "encryption",
        "role DermaflowEmrNode",
        "security configuration Dermaflow-1",
        "certificate between nodes",
    ):
        assert found[subject].verdict == "ok", found[subject]
    assert found["only over TLS"] == Finding("only over TLS", "missing", "is not set", "make deploy")
    assert "request-service-quota-increase" in found["quota: vCPUs of spot standard instances"].remedy
    nobody = {each.subject: each for each in examine(Patient(account, Deployment(bucket="none", name="Other")))}
    for subject in ("stack other", "bucket none", "role OtherEmrService", "instance profile OtherEmrNode"):
        assert (nobody[subject].verdict, nobody[subject].remedy) == ("missing", "make deploy"), subject
    assert not Stacks(account.client("cloudformation")).find("other")


def test_a_bucket_that_is_there_is_used_and_kept(account: Account) -> None:
    """Of an earlier stack, or the user's own; with subnets of one's own no network is made."""
    account.client("s3").create_bucket(Bucket="of-the-hospital")
    mine = Deployment(bucket="of-the-hospital", name="Mine", subnets=("subnet-1", "subnet-2"))
    found = deploy(account, mine)
    assert found["SubnetIds"] == "subnet-1,subnet-2"
    stacks = Stacks(account.client("cloudformation"))
    assert stacks.parameters("mine")["MakesBucket"] == "no"
    assert stacks.find("mine-network") is None


class TwoStacks:
    """CloudFormation as far as `destroy` asks it: moto cannot delete a VPC or a security configuration by stack."""

    def __init__(self) -> None:
        self.there = ["dermaflow", "dermaflow-network"]

    def describe_stacks(self, StackName: str) -> dict[str, list[dict[str, str]]]:  # noqa: N803
        if StackName not in self.there:
            error = {"Error": {"Code": "ValidationError", "Message": "does not exist"}}
            raise ClientError(error, "DescribeStacks")  # type: ignore[arg-type]
        return {"Stacks": [{"StackStatus": "CREATE_COMPLETE"}]}

    def delete_stack(self, StackName: str) -> None:  # noqa: N803
        self.there.remove(StackName)


def test_destroy_takes_the_account_away_before_the_network() -> None:
    """And says so when there is nothing to take."""
    cloudformation = TwoStacks()
    account = Account(lambda _service: cloudformation, "us-east-1")
    assert destroy(account, WANTED) == ["dermaflow", "dermaflow-network"]
    assert destroy(account, WANTED) == []


def test_a_certificate_is_renewed_before_it_is_over() -> None:
    """And where it is none at all."""
    now = datetime(2026, 11, 1, tzinfo=UTC)
    archive = certificate.make("eu-west-1", now)
    assert certificate.expires(archive) - now == certificate.VALID
    assert not certificate.is_due(archive, now)
    assert certificate.is_due(archive, now + certificate.VALID - timedelta(days=30))
    assert certificate.is_due(None, now)
    assert certificate.is_due(b"no zip", now)


def resources(name: str) -> dict[str, str]:
    """Logical id → type, of a template."""
    body = read(name)["Resources"]
    return {key: each["Type"] for key, each in body.items()}


def left_out(name: str) -> set[str]:
    """What the default of `Internet` does not make."""
    return {key for key, each in read(name)["Resources"].items() if each.get("Condition") == "HasNoNat"}


def read(name: str) -> dict[str, dict[str, dict[str, str]]]:
    import yaml
    from moto.cloudformation.utils import yaml_tag_constructor

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("", yaml_tag_constructor)
    parsed: dict[str, dict[str, dict[str, str]]] = yaml.load(template(name), Loader)  # noqa: S506 - a SafeLoader
    return parsed
