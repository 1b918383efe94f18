"""What the API answers of a record. Every function gives a value of botocore's output shape of its name."""

from __future__ import annotations

from typing import Any

from local_aws.emr import catalog
from local_aws.emr.records import (
    ClusterRecord,
    ClusterState,
    InstanceRecord,
    InstanceState,
    NodeGroup,
    Reason,
    StepRecord,
    Timeline,
)

_RECORDED = (
    "Configurations",
    "EbsRootVolumeIops",
    "EbsRootVolumeSize",
    "EbsRootVolumeThroughput",
    "LogEncryptionKmsKeyId",
    "ScaleDownBehavior",
    "SecurityConfiguration",
)
_EC2_ATTRIBUTES = (
    "AdditionalMasterSecurityGroups",
    "AdditionalSlaveSecurityGroups",
    "Ec2KeyName",
    "EmrManagedMasterSecurityGroup",
    "EmrManagedSlaveSecurityGroup",
    "ServiceAccessSecurityGroup",
)


def cluster(record: ClusterRecord) -> dict[str, Any]:
    hardware = record.request["Instances"]
    seen = {name: record.request[name] for name in _RECORDED if name in record.request}
    return {
        **summary(record),
        **seen,
        "Ec2InstanceAttributes": _ec2_attributes(record),
        "InstanceCollectionType": "INSTANCE_FLEET" if record.fleets else "INSTANCE_GROUP",
        **({"LogUri": shown_log_uri(record.log_uri)} if record.log_uri else {}),
        "ReleaseLabel": record.request["ReleaseLabel"],
        "AutoTerminate": not record.keep_alive,
        "TerminationProtected": record.termination_protected,
        "UnhealthyNodeReplacement": hardware.get("UnhealthyNodeReplacement", False),
        "VisibleToAllUsers": record.visible_to_all_users,
        "Applications": [
            {"Name": each["Name"], "Version": catalog.APPLICATIONS[each["Name"]]}
            for each in record.request.get("Applications", [])
        ],
        "Tags": [{"Key": key, "Value": value} for key, value in record.tags.items()],
        "ServiceRole": record.service_role,
        "MasterPublicDnsName": _private_dns(record.primary),
        "StepConcurrencyLevel": record.step_concurrency,
        "Configurations": record.request.get("Configurations", []),
    }


def summary(record: ClusterRecord) -> dict[str, Any]:
    """ClusterSummary."""
    return {
        "Id": record.id,
        "Name": record.name,
        "Status": {
            "State": record.state,
            "StateChangeReason": _reason(record.reason),
            "Timeline": _timeline(record.timeline),
            "ErrorDetails": [
                {"ErrorCode": each.code, "ErrorMessage": each.message, "ErrorData": [each.data]}
                for each in record.error_details
            ],
        },
        "NormalizedInstanceHours": normalized_hours(record),
        "ClusterArn": record.arn,
    }


def shown_log_uri(uri: str) -> str:
    """EMR answers DescribeCluster with the old s3n scheme and a slash at the end, whatever it was given."""
    scheme, _, rest = uri.partition("://")
    return f"{'s3n' if scheme == 's3' else scheme}://{rest.rstrip('/')}/"


def normalized_hours(record: ClusterRecord) -> int:
    """EMR's approximation: instance hours, started ones counted whole, in units of a small instance (xlarge: 8)."""
    total = 0
    for node in record.instances:
        if node.timeline.ended is not None and node.timeline.ready is not None:
            hours = -(-(node.timeline.ended - node.timeline.ready).total_seconds() // 3600)
            total += int(hours) * 2 * catalog.instance_types()[node.instance_type].vcpus
    return total


def step(record: StepRecord) -> dict[str, Any]:
    """Step and StepSummary."""
    status: dict[str, Any] = {
        "State": record.state,
        "StateChangeReason": _reason(record.reason),
        "Timeline": _timeline(record.timeline, ready="StartDateTime"),
    }
    if record.failure is not None:
        status["FailureDetails"] = {
            "Reason": record.failure.reason,
            "Message": record.failure.message,
            **({"LogFile": record.failure.log_file} if record.failure.log_file else {}),
        }
    return {
        "Id": record.id,
        "Name": record.name,
        "Config": {
            "Jar": record.jar,
            "Properties": record.properties,
            **({"MainClass": record.main_class} if record.main_class else {}),
            "Args": list(record.args),
        },
        "ActionOnFailure": record.action_on_failure,
        "Status": status,
    }


def instance(record: InstanceRecord, *, fleets: bool) -> dict[str, Any]:
    return {
        "Id": record.id,
        "Ec2InstanceId": record.ec2_id,
        "PublicDnsName": "",
        "PrivateDnsName": _private_dns(record),
        "PrivateIpAddress": record.private_ip,
        "Status": {
            "State": record.state,
            "StateChangeReason": _reason(record.reason),
            "Timeline": _timeline(record.timeline),
        },
        "InstanceFleetId" if fleets else "InstanceGroupId": record.group_id,
        "Market": record.market,
        "InstanceType": record.instance_type,
        "EbsVolumes": [],
    }


def instance_group(record: ClusterRecord, group: NodeGroup) -> dict[str, Any]:
    request = group.request
    return {
        "Id": group.id,
        "Name": request.get("Name", group.role.title()),
        "Market": request.get("Market", "ON_DEMAND"),
        "InstanceGroupType": group.role,
        **({"BidPrice": request["BidPrice"]} if "BidPrice" in request else {}),
        "InstanceType": request["InstanceType"],
        "RequestedInstanceCount": request["InstanceCount"],
        "RunningInstanceCount": len(_running(record, group)),
        "Status": _group_status(record, group),
        "Configurations": [],
        "EbsBlockDevices": [],
        "ShrinkPolicy": {},
    }


def instance_fleet(record: ClusterRecord, group: NodeGroup) -> dict[str, Any]:
    request = group.request
    running = _running(record, group)
    optional: dict[str, Any] = {
        name: request[name] for name in ("LaunchSpecifications", "ResizeSpecifications") if name in request
    }
    return {
        "Id": group.id,
        "Name": request.get("Name", group.role.title()),
        "Status": _group_status(record, group),
        "InstanceFleetType": group.role,
        "TargetOnDemandCapacity": request.get("TargetOnDemandCapacity", 0),
        "TargetSpotCapacity": request.get("TargetSpotCapacity", 0),
        "ProvisionedOnDemandCapacity": sum(node.market == "ON_DEMAND" for node in running),
        "ProvisionedSpotCapacity": sum(node.market == "SPOT" for node in running),
        "InstanceTypeSpecifications": [
            {key: value for key, value in each.items() if key != "EbsConfiguration"}
            for each in request["InstanceTypeConfigs"]
        ],
        **optional,
    }


def bootstrap_actions(record: ClusterRecord) -> list[dict[str, Any]]:
    return [{"Name": each.name, "ScriptPath": each.path, "Args": list(each.args)} for each in record.bootstrap_actions]


def _running(record: ClusterRecord, group: NodeGroup) -> list[InstanceRecord]:
    return [n for n in record.instances if n.group_id == group.id and n.state is InstanceState.RUNNING]


_GROUP_STATES = {
    ClusterState.STARTING: "PROVISIONING",
    ClusterState.BOOTSTRAPPING: "BOOTSTRAPPING",
    ClusterState.TERMINATING: "TERMINATING",
    ClusterState.TERMINATED: "TERMINATED",
    ClusterState.TERMINATED_WITH_ERRORS: "TERMINATED",
}


def _group_status(record: ClusterRecord, group: NodeGroup) -> dict[str, Any]:
    nodes = [node for node in record.instances if node.group_id == group.id]
    reason = Reason(code="CLUSTER_TERMINATED", message="Job flow terminated") if record.ended else Reason()
    return {
        "State": _GROUP_STATES.get(record.state, "RUNNING"),
        "StateChangeReason": _reason(reason),
        "Timeline": _timeline(nodes[0].timeline),
    }


def _ec2_attributes(record: ClusterRecord) -> dict[str, Any]:
    hardware = record.request["Instances"]
    zones = hardware.get("Placement", {}).get("AvailabilityZones", [])
    zone = hardware.get("Placement", {}).get("AvailabilityZone") or (zones[0] if zones else "")
    region = record.arn.split(":")[3]
    subnets = hardware.get("Ec2SubnetIds", [])
    subnet = hardware.get("Ec2SubnetId") or (subnets[0] if subnets else None)
    return {
        **{name: hardware[name] for name in _EC2_ATTRIBUTES if name in hardware},
        **({"Ec2SubnetId": subnet} if subnet else {}),
        "RequestedEc2SubnetIds": subnets or ([subnet] if subnet else []),
        "Ec2AvailabilityZone": zone or f"{region}a",
        "RequestedEc2AvailabilityZones": zones,
        "IamInstanceProfile": record.request["JobFlowRole"],
    }


def _private_dns(node: InstanceRecord) -> str:
    return f"ip-{node.private_ip.replace('.', '-')}.ec2.internal"


def _reason(reason: Reason) -> dict[str, str]:
    return {
        **({"Code": reason.code} if reason.code else {}),
        **({"Message": reason.message} if reason.message else {}),
    }


def _timeline(timeline: Timeline, *, ready: str = "ReadyDateTime") -> dict[str, float]:
    moments = {"CreationDateTime": timeline.created, ready: timeline.ready, "EndDateTime": timeline.ended}
    return {name: round(moment.timestamp(), 3) for name, moment in moments.items() if moment is not None}
