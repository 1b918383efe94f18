"""Answers have the shape of botocore's output model, field by field; requests outside its input model are refused."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.model import StringShape, StructureShape
from botocore.validate import ParamValidator
from stand_in import BUCKET, StandIn, job_flow, shell, wait_for, wait_for_step

from local_aws.emr import api, validation
from local_aws.emr.operations import steps as step_operations

FLEETS = {
    "InstanceFleets": [
        {
            "InstanceFleetType": "MASTER",
            "TargetOnDemandCapacity": 1,
            "InstanceTypeConfigs": [{"InstanceType": "m6i.xlarge"}],
        },
        {
            "Name": "work",
            "InstanceFleetType": "TASK",
            "TargetSpotCapacity": 4,
            "InstanceTypeConfigs": [
                {"InstanceType": "m6i.xlarge", "WeightedCapacity": 2, "BidPriceAsPercentageOfOnDemandPrice": 80.0}
            ],
            "LaunchSpecifications": {
                "SpotSpecification": {
                    "TimeoutDurationMinutes": 10,
                    "TimeoutAction": "SWITCH_TO_ON_DEMAND",
                    "AllocationStrategy": "price-capacity-optimized",
                }
            },
        },
    ]
}


class Wire:
    """EMR's JSON as it is on the wire: botocore drops what its model lacks."""

    def __init__(self, stand_in: StandIn) -> None:
        self._endpoint = stand_in.endpoint

    def call(self, operation: str, body: Any) -> tuple[int, Any]:
        request = urllib.request.Request(
            self._endpoint, json.dumps(body).encode(), {"X-Amz-Target": f"ElasticMapReduce.{operation}"}
        )
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


@pytest.fixture(scope="module")
def wire(stand_in: StandIn) -> Wire:
    return Wire(stand_in)


@pytest.fixture(scope="module")
def lived(emr: Any) -> Iterator[dict[str, str]]:
    """A cluster of groups that lived and ended, one of fleets that waits, one whose bootstrap failed."""
    hardware = {"KeepJobFlowAliveWhenNoSteps": False, "Ec2SubnetId": "subnet-1", "Ec2KeyName": "key"}
    tags = [{"Key": "run", "Value": "r1"}]
    settings = [{"Classification": "spark-defaults", "Properties": {"spark.x": "y"}}]
    failing = [
        shell("exit 2"),
        shell("true", HadoopJarStep={"Jar": "command-runner.jar", "MainClass": "m", "Args": []}),
    ]
    groups = emr.run_job_flow(
        **job_flow(
            Instances=hardware,
            Steps=failing,
            Tags=tags,
            Configurations=settings,
            ScaleDownBehavior="TERMINATE_AT_TASK_COMPLETION",
        )
    )["JobFlowId"]
    fleets = emr.run_job_flow(
        **{
            **job_flow(),
            "Instances": {**FLEETS, "KeepJobFlowAliveWhenNoSteps": True},
            "AutoTerminationPolicy": {"IdleTimeout": 600},
        }
    )["JobFlowId"]
    missing = {"Name": "b", "ScriptBootstrapAction": {"Path": f"s3://{BUCKET}/none.sh", "Args": ["1"]}}
    broken = emr.run_job_flow(**job_flow(BootstrapActions=[missing]))["JobFlowId"]
    wait_for(emr, groups, "TERMINATED_WITH_ERRORS")
    wait_for(emr, broken, "TERMINATED_WITH_ERRORS")
    wait_for(emr, fleets, "WAITING")
    yield {"groups": groups, "fleets": fleets, "broken": broken}
    emr.terminate_job_flows(JobFlowIds=[fleets])


def requests_of_everything(lived: dict[str, str], step_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """At least one request for every operation that is implemented."""
    fleets = lived["fleets"]
    policy = {"ComputeLimits": {"UnitType": "InstanceFleetUnits", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 4}}
    for cluster_id in lived.values():
        yield "DescribeCluster", {"ClusterId": cluster_id}
        yield "ListSteps", {"ClusterId": cluster_id}
        yield "ListInstances", {"ClusterId": cluster_id}
        yield "ListBootstrapActions", {"ClusterId": cluster_id}
        yield "GetAutoTerminationPolicy", {"ClusterId": cluster_id}
    yield "RunJobFlow", job_flow(Instances={"KeepJobFlowAliveWhenNoSteps": False})
    yield "ListClusters", {"ClusterStates": ["WAITING", "TERMINATED_WITH_ERRORS"], "CreatedAfter": 1.5e9}
    yield "DescribeStep", {"ClusterId": lived["groups"], "StepId": step_id}
    yield "ListInstanceGroups", {"ClusterId": lived["groups"]}
    yield "ListInstanceFleets", {"ClusterId": fleets}
    yield "AddJobFlowSteps", {"JobFlowId": fleets, "Steps": [shell("true")]}
    yield "CancelSteps", {"ClusterId": fleets, "StepIds": ["s-NONE"]}
    yield "ModifyCluster", {"ClusterId": fleets, "StepConcurrencyLevel": 2}
    yield "AddTags", {"ResourceId": fleets, "Tags": [{"Key": "a", "Value": "b"}]}
    yield "RemoveTags", {"ResourceId": fleets, "TagKeys": ["a"]}
    yield "PutAutoTerminationPolicy", {"ClusterId": fleets, "AutoTerminationPolicy": {"IdleTimeout": 900}}
    yield "RemoveAutoTerminationPolicy", {"ClusterId": fleets}
    yield "PutManagedScalingPolicy", {"ClusterId": fleets, "ManagedScalingPolicy": policy}
    yield "GetManagedScalingPolicy", {"ClusterId": fleets}
    yield "RemoveManagedScalingPolicy", {"ClusterId": fleets}
    yield "SetTerminationProtection", {"JobFlowIds": [fleets], "TerminationProtected": False}
    yield "SetKeepJobFlowAliveWhenNoSteps", {"JobFlowIds": [fleets], "KeepJobFlowAliveWhenNoSteps": True}
    yield "SetVisibleToAllUsers", {"JobFlowIds": [fleets], "VisibleToAllUsers": True}
    yield "ListReleaseLabels", {"Filters": {"Prefix": "emr-7"}}
    yield "DescribeReleaseLabel", {"ReleaseLabel": "emr-7.14.0"}
    yield "ListSupportedInstanceTypes", {"ReleaseLabel": "emr-7.14.0"}
    yield "TerminateJobFlows", {"JobFlowIds": [lived["groups"]]}


def test_every_answer_has_the_shape_of_the_output_model(emr: Any, wire: Wire, lived: dict[str, str]) -> None:
    """No field that the model lacks, no wrong type, no value outside an enumeration; every operation is called."""
    step_id = emr.list_steps(ClusterId=lived["groups"])["Steps"][0]["Id"]
    called = set()
    for operation, request in requests_of_everything(lived, step_id):
        status, answer = wire.call(operation, request)
        assert status == 200, (operation, answer)
        shape = validation.service_model().operation_model(operation).output_shape
        called.add(operation)
        if shape is None:
            assert answer == {}
            continue
        assert not (problems := ParamValidator().validate(answer, shape)).has_errors(), problems.generate_report()
        assert list(values_outside_enumerations(operation, shape, answer)) == []
    assert called == set(api.operations())


def values_outside_enumerations(operation: str, shape: Any, answer: Any) -> Iterator[str]:
    for path, member, value in validation.walk(operation, shape, answer):
        if isinstance(member, StringShape) and member.enum and value not in member.enum:
            yield f"{path} = {value}"
        if isinstance(member, StructureShape):
            assert set(value) <= set(member.members), path


def test_what_was_asked_for_is_described_again(emr: Any, lived: dict[str, str]) -> None:
    """Tags, subnet, key pair, configuration, log folder (with EMR's s3n), fleets and their capacity."""
    found = emr.describe_cluster(ClusterId=lived["groups"])["Cluster"]
    assert found["Tags"] == [{"Key": "run", "Value": "r1"}]
    assert found["Ec2InstanceAttributes"]["Ec2SubnetId"] == "subnet-1"
    assert found["Configurations"][0]["Properties"] == {"spark.x": "y"}
    assert found["LogUri"] == f"s3n://{BUCKET}/logs/"
    assert found["ClusterArn"].endswith(f":cluster/{lived['groups']}")
    fleets = emr.list_instance_fleets(ClusterId=lived["fleets"])["InstanceFleets"]
    assert [(each["InstanceFleetType"], each["ProvisionedSpotCapacity"]) for each in fleets] == [
        ("MASTER", 0),
        ("TASK", 2),
    ]
    nodes = emr.list_instances(ClusterId=lived["fleets"], InstanceFleetType="TASK")["Instances"]
    assert {node["Market"] for node in nodes} == {"SPOT"}
    assert emr.list_instances(ClusterId=lived["fleets"], InstanceStates=["TERMINATED"])["Instances"] == []


def test_lists_come_in_pages(emr: Any, cluster: Callable[..., str]) -> None:
    """60 steps are two pages, newest first, none twice and none left out; a wrong marker is refused."""
    many = [shell("true") for _ in range(60)]
    cluster_id = cluster(Steps=[shell("sleep 300"), *many])
    first = emr.list_steps(ClusterId=cluster_id)
    assert len(first["Steps"]) == step_operations.STEPS_A_PAGE
    pages = emr.get_paginator("list_steps").paginate(ClusterId=cluster_id)
    ids = [each["Id"] for page in pages for each in page["Steps"]]
    assert len(set(ids)) == 61
    some = emr.list_steps(ClusterId=cluster_id, StepIds=ids[:3])["Steps"]
    assert [each["Id"] for each in some] == ids[:3]
    wait_for_step(emr, cluster_id, ids[-1], "RUNNING")
    assert [each["Id"] for each in emr.list_steps(ClusterId=cluster_id, StepStates=["RUNNING"])["Steps"]] == ids[-1:]
    with pytest.raises(ClientError, match="Marker 'nonsense' is not valid"):
        emr.list_steps(ClusterId=cluster_id, Marker="nonsense")


def test_clusters_are_listed_newest_first_and_by_time(emr: Any, lived: dict[str, str]) -> None:
    """CreatedAfter and CreatedBefore; states."""
    ours = [each["Id"] for each in emr.list_clusters()["Clusters"] if each["Id"] in lived.values()]
    assert ours == [lived["broken"], lived["fleets"], lived["groups"]]
    created = emr.describe_cluster(ClusterId=lived["fleets"])["Cluster"]["Status"]["Timeline"]["CreationDateTime"]
    later = [each["Id"] for each in emr.list_clusters(CreatedAfter=created)["Clusters"]]
    assert lived["broken"] in later
    assert lived["groups"] not in later
    waiting = [each["Id"] for each in emr.list_clusters(ClusterStates=["WAITING"])["Clusters"]]
    assert lived["fleets"] in waiting
    assert lived["groups"] not in waiting


REFUSALS = {
    "unknown argument": ({"Nmae": "x"}, "ValidationException", "Nmae"),
    "no instances": ({"Instances": None}, "ValidationException", "Instances"),
    "unknown release": ({"ReleaseLabel": "emr-7.99.0"}, "ValidationException", "release label is invalid: emr-7.99.0"),
    "another line": ({"ReleaseLabel": "emr-6.15.0"}, "NotSimulated", "emr-6.15.0"),
    "unknown application": ({"Applications": [{"Name": "Presto"}]}, "NotSimulated", "Presto"),
    "kerberos": ({"KerberosAttributes": {"Realm": "r", "KdcAdminPassword": "p"}}, "NotSimulated", "Kerberos"),
    "no such security configuration": ({"SecurityConfiguration": "sc"}, "ValidationException", "'sc' does not exist"),
    "no profile": ({"JobFlowRole": None}, "ValidationException", "InstanceProfile is required"),
    "no service role": ({"ServiceRole": None}, "ValidationException", "ServiceRole is required"),
    "idle limit": ({"AutoTerminationPolicy": {"IdleTimeout": 5}}, "ValidationException", "between 60 and"),
    "concurrency and action": (
        {"StepConcurrencyLevel": 2, "Steps": [shell("true", ActionOnFailure="CANCEL_AND_WAIT")]},
        "ValidationException",
        "must be CONTINUE",
    ),
    "step too long": ({"Steps": [shell("x" * 10_240)]}, "ValidationException", "exceeds 10240"),
    "wrong action": ({"Steps": [shell("true", ActionOnFailure="SHRUG")]}, "ValidationException", "SHRUG"),
    "bootstrap path": (
        {"BootstrapActions": [{"Name": "b", "ScriptBootstrapAction": {"Path": "/tmp/x.sh"}}]},  # noqa: S108
        "ValidationException",
        "Invalid bootstrap action path",
    ),
    "aws tag": ({"Tags": [{"Key": "aws:x", "Value": "y"}]}, "ValidationException", "aws:"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_run_job_flow_refuses(wire: Wire, what: str) -> None:
    """With EMR's kind of error, naming what is wrong; what only the stand-in lacks is called NotSimulated."""
    change, code, words = REFUSALS[what]
    request = {key: value for key, value in {**job_flow(), **change}.items() if value is not None}
    status, answer = wire.call("RunJobFlow", request)
    assert (status, answer["__type"]) == (400, code)
    assert words in answer["message"]


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([("MASTER", "m6i.xlarge", 1), ("CORE", "m99.huge", 1)], "'m99.huge' is not supported"),
        ([("MASTER", "t3.large", 1)], "'t3.large' is not supported"),
        ([("CORE", "m6i.xlarge", 1)], "exactly one master"),
        ([("MASTER", "m6i.xlarge", 2)], "has 1 or 3 instances"),
        ([("MASTER", "m6i.xlarge", 1), ("CORE", "m6i.xlarge", 0)], "at least 1 instance"),
    ],
)
def test_run_job_flow_refuses_instances(wire: Wire, groups: list[tuple[str, str, int]], words: str) -> None:
    """Types EMR does not have, and groups it does not take."""
    requests = [{"InstanceRole": role, "InstanceType": kind, "InstanceCount": n} for role, kind, n in groups]
    status, answer = wire.call("RunJobFlow", {**job_flow(), "Instances": {"InstanceGroups": requests}})
    assert (status, answer["__type"]) == (400, "ValidationException")
    assert words in answer["message"]


@pytest.mark.parametrize(
    ("operation", "request_", "code", "words"),
    [
        ("DescribeCluster", {"ClusterId": "j-NONE"}, "InvalidRequestException", "Cluster id 'j-NONE' is not valid."),
        ("DescribeCluster", {}, "ValidationException", "ClusterId"),
        ("TerminateJobFlows", {"JobFlowIds": ["j-NONE"]}, "InvalidRequestException", "j-NONE"),
        ("ListClusters", {"ClusterStates": ["ASLEEP"]}, "ValidationException", "ASLEEP"),
        ("ListSupportedInstanceTypes", {"ReleaseLabel": "emr-1"}, "InvalidRequestException", "emr-1"),
        ("StartNotebookExecution", {}, "NotSimulated", "StartNotebookExecution"),
        ("MakeCoffee", {}, "UnknownOperationException", "MakeCoffee"),
        ("ListClusters", [], "SerializationException", "not a JSON object"),
    ],
)
def test_other_operations_refuse(wire: Wire, operation: str, request_: Any, code: str, words: str) -> None:
    """Unknown ids, states and operations."""
    status, answer = wire.call(operation, request_)
    assert (status, answer["__type"]) == (400, code)
    assert words in answer["message"]


def test_the_paths_that_are_not_simulated_exist_in_the_model() -> None:
    """A misspelt one would let the argument through."""
    for path in validation.NOT_SIMULATED:
        operation, *names = path.split(".")
        shape: Any = validation.service_model().operation_model(operation).input_shape
        for name in names:
            shape = shape.members[name.removesuffix("[]")]
            shape = shape.member if name.endswith("[]") else shape


def test_calls_are_counted_by_operation_and_origin(stand_in: StandIn, emr: Any, s3: Any) -> None:
    """EMR and S3 calls by name; the stand-in's own are left out."""

    def counted() -> dict[str, int]:
        with urllib.request.urlopen(f"{stand_in.endpoint}/_local_aws/calls") as answer:
            calls: dict[str, int] = json.load(answer)["calls"]
            return calls

    before = counted()
    emr.list_release_labels()
    s3.put_object(Bucket=BUCKET, Key="counted", Body=b"")
    s3.list_objects_v2(Bucket=BUCKET)
    stand_in.client("sts").get_caller_identity()
    after = counted()
    changed = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name)}
    assert changed == {
        "ElasticMapReduce.ListReleaseLabels": 1,
        "s3.PutObject": 1,
        "s3.ListObjectsV2": 1,
        "sts.GetCallerIdentity": 1,
    }
