"""The life of a cluster as EMR's API shows it: the same tests on the stand-in and on a real account.

On the stand-in always. On a real account with

    DERMAFLOW_AWS_TESTS=1 DERMAFLOW_AWS_TESTS_USD=0.25 DERMAFLOW_DEFAULTS=build/aws/defaults.json make test-aws

by boto3's own credentials: one cluster of two m6i.xlarge for some twenty minutes, about 0.20 USD in us-east-1. The
price has to be stated, and the account deployed before. What is asserted here is what our operators rely on.
"""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError
from stand_in import BUCKET, PROFILE, ROLE, shell

REAL = os.environ.get("DERMAFLOW_AWS_TESTS") == "1"
USD = 0.25
FOR_EMR = {"Key": "for-use-with-amazon-emr-managed-policies", "Value": "true"}
pytestmark = pytest.mark.timeout(3600 if REAL else 300)


@dataclass(frozen=True)
class Place:
    """An account, and what a request must name of it."""

    emr: Any
    s3: Any
    root: str
    """`s3://bucket[/prefix]`"""
    roles: dict[str, str]
    hardware: dict[str, Any] = field(default_factory=dict)
    poll_s: float = 0.05
    patience_s: float = 90

    def until(self, look: Any, *states: str) -> Any:
        """What `look` gives once its status has one of the states."""
        deadline = time.monotonic() + self.patience_s
        while (found := look())["Status"]["State"] not in states:
            assert time.monotonic() < deadline, f"still {found['Status']}, waited for {states}"
            time.sleep(self.poll_s)
        return found

    def cluster(self, cluster_id: str) -> Any:
        return self.emr.describe_cluster(ClusterId=cluster_id)["Cluster"]

    def step(self, cluster_id: str, step_id: str) -> Any:
        return self.emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]

    def put(self, name: str, body: str) -> str:
        bucket, _, prefix = self.root.removeprefix("s3://").partition("/")
        key = "/".join(filter(None, [prefix, "runs", "aws-tests", name]))
        self.s3.put_object(Bucket=bucket, Key=key, Body=body.encode())
        return f"s3://{bucket}/{key}"


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest) -> Place:
    if not REAL:
        emr, s3 = (request.getfixturevalue(name) for name in ("emr", "s3"))
        return Place(emr, s3, f"s3://{BUCKET}", {"ServiceRole": ROLE, "JobFlowRole": PROFILE})
    if float(os.environ.get("DERMAFLOW_AWS_TESTS_USD", "0")) < USD:
        pytest.fail(f"these tests cost about {USD} USD: state DERMAFLOW_AWS_TESTS_USD={USD}")
    return real(json.loads(Path(os.environ["DERMAFLOW_DEFAULTS"]).read_text()))


def real(defaults: dict[str, Any]) -> Place:
    names = {
        "EmrManagedMasterSecurityGroup": "primary_security_group",
        "EmrManagedSlaveSecurityGroup": "core_security_group",
        "ServiceAccessSecurityGroup": "service_security_group",
        "Ec2SubnetIds": "subnet_ids",
    }
    hardware = {name: defaults[key] for name, key in names.items() if key in defaults}
    roles = {"ServiceRole": defaults["service_role"], "JobFlowRole": defaults["instance_profile"]}
    sdk: Any = boto3
    return Place(sdk.client("emr"), sdk.client("s3"), defaults["root"], roles, hardware, poll_s=10, patience_s=1800)


def request_of(place: Place) -> dict[str, Any]:
    def fleet(role: str) -> dict[str, Any]:
        kinds = [{"InstanceType": "m6i.xlarge", "WeightedCapacity": 1}]
        return {"InstanceFleetType": role, "TargetOnDemandCapacity": 1, "InstanceTypeConfigs": kinds}

    script = place.put("bootstrap.sh", '#!/bin/bash\necho "said by the bootstrap action: $1"\n')
    return {
        "Name": f"dermaflow-aws-tests-{uuid4().hex[:8]}",
        "ReleaseLabel": "emr-7.14.0",
        "LogUri": f"{place.root}/logs/",
        "Applications": [{"Name": "Spark"}],
        "Instances": {
            "InstanceFleets": [fleet("MASTER"), fleet("CORE")],
            "KeepJobFlowAliveWhenNoSteps": True,
            **place.hardware,
        },
        "BootstrapActions": [{"Name": "hello", "ScriptBootstrapAction": {"Path": script, "Args": ["hello"]}}],
        "Tags": [FOR_EMR, {"Key": "dermaflow:deployment", "Value": "airflow"}],
        "AutoTerminationPolicy": {"IdleTimeout": 1800},
        **place.roles,
    }


@pytest.fixture(scope="module")
def cluster_id(place: Place) -> Iterator[str]:
    """The one cluster of these tests, given back whatever happens."""
    made: str = place.emr.run_job_flow(**request_of(place))["JobFlowId"]
    try:
        place.until(lambda: place.cluster(made), "WAITING")
        yield made
    finally:
        place.emr.set_termination_protection(JobFlowIds=[made], TerminationProtected=False)
        place.emr.terminate_job_flows(JobFlowIds=[made])
        place.until(lambda: place.cluster(made), "TERMINATED", "TERMINATED_WITH_ERRORS")


def test_a_cluster_is_found_by_name_and_tags(place: Place, cluster_id: str) -> None:
    """Which is how an operator finds what an earlier try created."""
    found = place.cluster(cluster_id)
    pages = place.emr.get_paginator("list_clusters").paginate(ClusterStates=["WAITING", "RUNNING"])
    assert found["Name"] in {each["Name"] for page in pages for each in page["Clusters"] if each["Id"] == cluster_id}
    assert FOR_EMR in found["Tags"]
    assert found["LogUri"].startswith(("s3n://", "s3://"))
    assert {"CreationDateTime", "ReadyDateTime"} <= set(found["Status"]["Timeline"])


def test_nodes_are_listed_with_type_market_and_timeline(place: Place, cluster_id: str) -> None:
    """From which the cost of a run is reckoned."""
    fleets = place.emr.list_instance_fleets(ClusterId=cluster_id)["InstanceFleets"]
    assert {each["InstanceFleetType"] for each in fleets} == {"MASTER", "CORE"}
    for each in fleets:
        assert (each["ProvisionedOnDemandCapacity"], each["ProvisionedSpotCapacity"]) == (1, 0)
    nodes = place.emr.list_instances(ClusterId=cluster_id)["Instances"]
    assert [(node["InstanceType"], node["Market"]) for node in nodes] == [("m6i.xlarge", "ON_DEMAND")] * 2
    assert {node["InstanceFleetId"] for node in nodes} == {each["Id"] for each in fleets}
    assert all(node["Status"]["Timeline"]["CreationDateTime"] for node in nodes)


def test_steps_end_as_their_commands_do(place: Place, cluster_id: str) -> None:
    """COMPLETED, and FAILED with a reason and the place of its log; the next one runs, as it may."""
    steps = [shell("exit 3"), shell("echo fine")]
    failed, fine = place.emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=steps)["StepIds"]
    status = place.until(lambda: place.step(cluster_id, failed), "FAILED")["Status"]
    assert f"/steps/{failed}/" in status["FailureDetails"]["LogFile"]
    done = place.until(lambda: place.step(cluster_id, fine), "COMPLETED")
    assert done["Status"]["Timeline"]["StartDateTime"] <= done["Status"]["Timeline"]["EndDateTime"]
    assert [each["Id"] for each in place.emr.list_steps(ClusterId=cluster_id)["Steps"]][:2] == [fine, failed]


def test_a_failed_step_cancels_those_behind_it_where_it_is_asked_to(place: Place, cluster_id: str) -> None:
    """CANCEL_AND_WAIT: our pipeline's steps are queued so."""
    steps = [shell("exit 1", ActionOnFailure="CANCEL_AND_WAIT"), shell("true", ActionOnFailure="CANCEL_AND_WAIT")]
    first, second = place.emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=steps)["StepIds"]
    place.until(lambda: place.step(cluster_id, first), "FAILED")
    place.until(lambda: place.step(cluster_id, second), "CANCELLED")
    place.until(lambda: place.cluster(cluster_id), "WAITING")


def test_a_running_step_is_cancelled(place: Place, cluster_id: str) -> None:
    """By CancelSteps; a second time it says why not."""
    (step_id,) = place.emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=[shell("sleep 900")])["StepIds"]
    place.until(lambda: place.step(cluster_id, step_id), "RUNNING")
    asked = {"ClusterId": cluster_id, "StepIds": [step_id], "StepCancellationOption": "SEND_INTERRUPT"}
    assert place.emr.cancel_steps(**asked)["CancelStepsInfoList"][0]["Status"] == "SUBMITTED"
    place.until(lambda: place.step(cluster_id, step_id), "CANCELLED")
    assert place.emr.cancel_steps(**asked)["CancelStepsInfoList"][0]["Status"] == "FAILED"


def test_what_emr_does_not_know_is_an_invalid_request(place: Place, cluster_id: str) -> None:
    """Codes that our code decides by."""
    calls = (
        lambda: place.emr.describe_cluster(ClusterId="j-0000000000000"),
        lambda: place.emr.describe_step(ClusterId=cluster_id, StepId="s-0000000000000"),
    )
    for call in calls:
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] in {"InvalidRequestException", "ValidationException"}


def test_a_protected_cluster_is_not_ended(place: Place, cluster_id: str) -> None:
    """Until the protection is lifted, which the fixture does."""
    place.emr.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=True)
    with pytest.raises(ClientError, match="protected"):
        place.emr.terminate_job_flows(JobFlowIds=[cluster_id])
    assert place.cluster(cluster_id)["TerminationProtected"] is True


def test_the_bootstrap_action_leaves_its_log(place: Place, cluster_id: str) -> None:
    """Below LogUri, gzipped, by instance. On a real account minutes later."""
    bucket, _, prefix = place.root.removeprefix("s3://").partition("/")
    below = "/".join(filter(None, [prefix, "logs", cluster_id, "node/"]))
    deadline = time.monotonic() + place.patience_s
    found: list[str] = []
    while not found and time.monotonic() < deadline:
        keys = [e["Key"] for e in place.s3.list_objects_v2(Bucket=bucket, Prefix=below).get("Contents", [])]
        found = [key for key in keys if "/bootstrap-actions/1/stdout" in key]
        time.sleep(place.poll_s)
    body = place.s3.get_object(Bucket=bucket, Key=found[0])["Body"].read()
    assert gzip.decompress(body) == b"said by the bootstrap action: hello\n"
