"""What describes a cluster's instances, groups, fleets and bootstrap actions."""

from __future__ import annotations

from local_aws.emr import views
from local_aws.emr.context import Answer, Context, Params
from local_aws.emr.errors import invalid_request
from local_aws.emr.paging import page
from local_aws.emr.records import ClusterRecord, InstanceRecord

INSTANCES_A_PAGE = 500
OTHERS_A_PAGE = 50


def list_instances(context: Context, params: Params) -> Answer:
    cluster = context.store.find(params["ClusterId"])
    _check_filters(cluster, params)
    groups = {params[name] for name in ("InstanceGroupId", "InstanceFleetId") if name in params}
    roles = {*params.get("InstanceGroupTypes", ())} | {params[n] for n in ("InstanceFleetType",) if n in params}
    states = params.get("InstanceStates")

    def wanted(each: InstanceRecord) -> bool:
        return (
            (not groups or each.group_id in groups)
            and (not roles or each.role in roles)
            and (not states or each.state in states)
        )

    found = [each for each in cluster.instances if wanted(each)]
    instances, marker = page(found, params.get("Marker"), INSTANCES_A_PAGE)
    return {"Instances": [views.instance(each, fleets=cluster.fleets) for each in instances], **marker}


def list_instance_groups(context: Context, params: Params) -> Answer:
    cluster = context.store.find(params["ClusterId"])
    if cluster.fleets:
        raise invalid_request(
            "Instance fleets and instance groups are mutually exclusive. The EMR cluster specified"
            " in the request uses instance fleets. The ListInstanceGroups request is not supported."
        )
    groups, marker = page(cluster.groups, params.get("Marker"), OTHERS_A_PAGE)
    return {"InstanceGroups": [views.instance_group(cluster, each) for each in groups], **marker}


def list_instance_fleets(context: Context, params: Params) -> Answer:
    cluster = context.store.find(params["ClusterId"])
    if not cluster.fleets:
        raise invalid_request(
            "Instance fleets and instance groups are mutually exclusive. The EMR cluster specified"
            " in the request uses instance groups. The ListInstanceFleets request is not supported."
        )
    fleets, marker = page(cluster.groups, params.get("Marker"), OTHERS_A_PAGE)
    return {"InstanceFleets": [views.instance_fleet(cluster, each) for each in fleets], **marker}


def list_bootstrap_actions(context: Context, params: Params) -> Answer:
    actions = views.bootstrap_actions(context.store.find(params["ClusterId"]))
    shown, marker = page(actions, params.get("Marker"), OTHERS_A_PAGE)
    return {"BootstrapActions": shown, **marker}


def _check_filters(cluster: ClusterRecord, params: Params) -> None:
    wrong = "InstanceGroup" if cluster.fleets else "InstanceFleet"
    if any(name.startswith(wrong) for name in params):
        raise invalid_request(f"The cluster does not use {wrong}s.")
    known = {group.id for group in cluster.groups}
    for name in ("InstanceGroupId", "InstanceFleetId"):
        if name in params and params[name] not in known:
            raise invalid_request(f"{name} '{params[name]}' is not valid.")
