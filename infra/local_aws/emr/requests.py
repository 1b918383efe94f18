"""From a RunJobFlow or AddJobFlowSteps request to records, with the checks that the service model does not hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local_aws.emr import catalog, ids
from local_aws.emr.errors import not_simulated, validation_error
from local_aws.emr.records import (
    BootstrapAction,
    ClusterRecord,
    ClusterState,
    InstanceRecord,
    NodeGroup,
    Reason,
    StepRecord,
    Timeline,
)

MAX_STEP_CHARACTERS = 10_240
MAX_ACTIVE_STEPS = 256
MAX_BOOTSTRAP_ACTIONS = 16
IDLE_SECONDS = range(60, 604_801)
ROLES = ("MASTER", "CORE", "TASK")


@dataclass(frozen=True)
class Caller:
    """Where a request came from."""

    account: str
    region: str


def cluster_of(request: Mapping[str, Any], caller: Caller, now: datetime) -> ClusterRecord:
    """Raises EmrError. Roles and security configurations are looked up by the caller: they are IAM's and moto's."""
    _check_release(request.get("ReleaseLabel"))
    _check_applications(request.get("Applications", []))
    hardware = request["Instances"]
    concurrency = checked_concurrency(request.get("StepConcurrencyLevel", 1))
    steps = steps_of(request.get("Steps", []), now, concurrency=concurrency)
    groups = tuple(_groups(hardware))
    actions = request.get("BootstrapActions", [])
    if len(actions) > MAX_BOOTSTRAP_ACTIONS:
        raise validation_error(f"The number of bootstrap actions exceeds the maximum of {MAX_BOOTSTRAP_ACTIONS}.")
    cluster_id = ids.cluster_id()
    policy = request.get("AutoTerminationPolicy")
    return ClusterRecord(
        id=cluster_id,
        arn=f"arn:aws:elasticmapreduce:{caller.region}:{caller.account}:cluster/{cluster_id}",
        name=request["Name"],
        request=dict(request),
        service_role=request.get("ServiceRole", ""),
        log_uri=request.get("LogUri"),
        keep_alive=hardware.get("KeepJobFlowAliveWhenNoSteps", False),
        termination_protected=hardware.get("TerminationProtected", False),
        visible_to_all_users=request.get("VisibleToAllUsers", True),
        step_concurrency=concurrency,
        idle_timeout=idle_timeout_of(policy) if policy else None,
        managed_scaling=request.get("ManagedScalingPolicy"),
        tags=tags_of(request.get("Tags", [])),
        fleets="InstanceFleets" in hardware,
        groups=groups,
        instances=tuple(_instances(groups, now)),
        bootstrap_actions=tuple(_bootstrap_action(each) for each in actions),
        steps=steps,
        state=ClusterState.STARTING,
        reason=Reason(message="Provisioning Amazon EC2 capacity"),
        timeline=Timeline(created=now),
    )


def steps_of(
    requests: list[dict[str, Any]], now: datetime, *, concurrency: int, active: int = 0
) -> tuple[StepRecord, ...]:
    if active + len(requests) > MAX_ACTIVE_STEPS:
        raise validation_error(
            "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster exceeded."
        )
    return tuple(_step(each, now, concurrency) for each in requests)


def checked_concurrency(level: int) -> int:
    if not 1 <= level <= MAX_ACTIVE_STEPS:
        raise validation_error(f"The step concurrency level must be between 1 and {MAX_ACTIVE_STEPS}, not {level}.")
    return level


def idle_timeout_of(policy: Mapping[str, Any]) -> int:
    seconds = int(policy.get("IdleTimeout", 3600))
    if seconds not in IDLE_SECONDS:
        raise validation_error(
            f"Idle timeout should be between {IDLE_SECONDS.start} and {IDLE_SECONDS.stop - 1} seconds, not {seconds}."
        )
    return seconds


def tags_of(tags: list[dict[str, str]]) -> dict[str, str]:
    for tag in tags:
        if not 1 <= len(tag.get("Key", "")) <= 128 or len(tag.get("Value", "")) > 256:
            raise validation_error("Tag keys have 1 to 128 characters, tag values at most 256.")
        if tag["Key"].startswith("aws:"):
            raise validation_error(f"Tag key {tag['Key']!r} may not start with aws:")
    return {tag["Key"]: tag.get("Value", "") for tag in tags}


def _step(request: Mapping[str, Any], now: datetime, concurrency: int) -> StepRecord:
    what = request["HadoopJarStep"]
    properties = {each.get("Key", ""): each.get("Value", "") for each in what.get("Properties", [])}
    args = tuple(what.get("Args", []))
    strings = [what["Jar"], what.get("MainClass", ""), *args, *properties, *properties.values()]
    if sum(map(len, strings)) > MAX_STEP_CHARACTERS:
        raise validation_error(
            f"The total number of characters for the step {request['Name']!r} exceeds {MAX_STEP_CHARACTERS}."
        )
    action = request.get("ActionOnFailure", "TERMINATE_JOB_FLOW")
    if concurrency > 1 and action != "CONTINUE":
        raise validation_error("ActionOnFailure must be CONTINUE when StepConcurrencyLevel is greater than 1.")
    return StepRecord(
        id=ids.step_id(),
        name=request["Name"],
        jar=what["Jar"],
        args=args,
        main_class=what.get("MainClass"),
        properties=properties,
        action_on_failure=action,
        timeline=Timeline(created=now),
    )


def _bootstrap_action(request: Mapping[str, Any]) -> BootstrapAction:
    script = request["ScriptBootstrapAction"]
    if not script["Path"].startswith(("s3://", "s3a://", "s3n://", "file:")):
        raise validation_error(
            f"Invalid bootstrap action path, must be a location in Amazon S3 or a local path: {script['Path']}"
        )
    return BootstrapAction(name=request["Name"], path=script["Path"], args=tuple(script.get("Args", [])))


def _check_release(label: str | None) -> None:
    if label is None:
        raise not_simulated("RunJobFlow without ReleaseLabel")
    if label in catalog.RELEASES:
        return
    if label.startswith(catalog.OTHER_LINES):
        raise not_simulated(f"release {label} (not of the Spark 3.5 line, emr-7.*)")
    raise validation_error(f"The supplied release label is invalid: {label}.")


def _check_applications(applications: list[dict[str, Any]]) -> None:
    for name in (each.get("Name", "") for each in applications):
        if name not in catalog.SIMULATED_APPLICATIONS:
            raise not_simulated(f"RunJobFlow.Applications[].Name = {name!r}")


def _groups(hardware: Mapping[str, Any]) -> Iterator[NodeGroup]:
    ways = [way for way in ("InstanceGroups", "InstanceFleets", "MasterInstanceType") if way in hardware]
    if len(ways) != 1:
        raise validation_error(
            "Specify the instances by exactly one of instance groups, instance fleets and master/slave instance types."
        )
    if ways == ["InstanceFleets"]:
        requests, role_key, draw = hardware["InstanceFleets"], "InstanceFleetType", ids.fleet_id
    else:
        requests, role_key, draw = hardware.get("InstanceGroups") or _old_style(hardware), "InstanceRole", ids.group_id
    roles = [each[role_key] for each in requests]
    if roles.count("MASTER") != 1 or roles.count("CORE") > 1:
        raise validation_error("A cluster has exactly one master and at most one core instance group or fleet.")
    for each in requests:
        yield NodeGroup(id=draw(), role=each[role_key], request=each)


def _old_style(hardware: Mapping[str, Any]) -> list[dict[str, Any]]:
    """MasterInstanceType, SlaveInstanceType and InstanceCount, as instance groups."""
    count = hardware.get("InstanceCount", 1)
    primary = {"InstanceRole": "MASTER", "InstanceType": hardware["MasterInstanceType"], "InstanceCount": 1}
    if count < 2:
        return [primary]
    core_type = hardware.get("SlaveInstanceType", hardware["MasterInstanceType"])
    return [primary, {"InstanceRole": "CORE", "InstanceType": core_type, "InstanceCount": count - 1}]


def _instances(groups: tuple[NodeGroup, ...], now: datetime) -> Iterator[InstanceRecord]:
    for group in groups:
        for instance_type, market in _wanted(group):
            yield InstanceRecord(
                id=ids.instance_id(),
                ec2_id=ids.ec2_id(),
                group_id=group.id,
                role=group.role,
                instance_type=checked_type(instance_type),
                market=market,
                private_ip=ids.private_ip(),
                timeline=Timeline(created=now),
            )


def checked_type(name: str) -> str:
    if name not in catalog.instance_types():
        raise validation_error(f"Instance type '{name}' is not supported.")
    return name


def _wanted(group: NodeGroup) -> Iterator[tuple[str, str]]:
    request = group.request
    if "InstanceCount" in request:
        if group.role == "MASTER" and request["InstanceCount"] not in {1, 3}:
            raise validation_error("The master instance group has 1 or 3 instances.")
        if group.role == "MASTER" and request["InstanceCount"] == 3:
            raise not_simulated("a cluster with three master nodes")
        if request["InstanceCount"] < 1:
            raise validation_error(f"The {group.role} instance group must have at least 1 instance.")
        yield from [(request["InstanceType"], request.get("Market", "ON_DEMAND"))] * request["InstanceCount"]
        return
    yield from _fleet_nodes(group)


def _fleet_nodes(group: NodeGroup) -> Iterator[tuple[str, str]]:
    """As many of the first type as fill the targets: capacity is never short here."""
    types = group.request.get("InstanceTypeConfigs", [])
    if not types:
        raise validation_error(f"The {group.role} instance fleet has no InstanceTypeConfigs.")
    for each in types:
        checked_type(each["InstanceType"])
    targets = {
        "ON_DEMAND": group.request.get("TargetOnDemandCapacity", 0),
        "SPOT": group.request.get("TargetSpotCapacity", 0),
    }
    if sum(targets.values()) < 1:
        raise validation_error(f"The {group.role} instance fleet has a target capacity of 0.")
    if group.role == "MASTER" and sum(targets.values()) != 1:
        raise validation_error("The master instance fleet has a target capacity of 1.")
    weight = max(1, types[0].get("WeightedCapacity", 1)) if group.role != "MASTER" else 1
    for market, capacity in targets.items():
        yield from [(types[0]["InstanceType"], market)] * -(-capacity // weight)
