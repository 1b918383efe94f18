"""RunJobFlow, what describes clusters, and what changes or ends them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from local_aws.emr import machine, views
from local_aws.emr.account import check_roles, check_security_configuration
from local_aws.emr.context import Answer, Context, Params
from local_aws.emr.driver import ClusterDriver
from local_aws.emr.errors import invalid_request, validation_error
from local_aws.emr.paging import page
from local_aws.emr.records import GOING_OR_GONE, ClusterRecord
from local_aws.emr.requests import checked_concurrency, cluster_of, idle_timeout_of, tags_of
from local_aws.emr.store import now

CLUSTERS_A_PAGE = 50


def run_job_flow(context: Context, params: Params) -> Answer:
    cluster = cluster_of(params, context.caller, now())
    check_roles(params, context.caller)
    check_security_configuration(params, context.caller)
    context.store.add(cluster)
    ClusterDriver(cluster, context.host).start()
    return {"JobFlowId": cluster.id, "ClusterArn": cluster.arn}


def describe_cluster(context: Context, params: Params) -> Answer:
    return {"Cluster": views.cluster(context.store.find(params["ClusterId"]))}


def list_clusters(context: Context, params: Params) -> Answer:
    states = params.get("ClusterStates")
    after, before = (_moment(params.get(name)) for name in ("CreatedAfter", "CreatedBefore"))

    def wanted(each: ClusterRecord) -> bool:
        created = each.timeline.created
        return (
            (not states or each.state in states)
            and (after is None or created > after)
            and (before is None or created < before)
        )

    found = [each for each in context.store.newest_first() if wanted(each)]
    clusters, marker = page(found, params.get("Marker"), CLUSTERS_A_PAGE)
    return {"Clusters": [views.summary(each) for each in clusters], **marker}


def terminate_job_flows(context: Context, params: Params) -> None:
    clusters = [context.store.find(each) for each in params["JobFlowIds"]]
    if any(each.termination_protected and each.state not in GOING_OR_GONE for each in clusters):
        raise validation_error("Could not shut down one or more job flows since they are termination protected.")
    for each in clusters:
        context.store.apply(each.id, machine.TerminateAsked())


def set_termination_protection(context: Context, params: Params) -> None:
    _set(context, params, {"termination_protected": params["TerminationProtected"]})


def set_keep_job_flow_alive_when_no_steps(context: Context, params: Params) -> None:
    _set(context, params, {"keep_alive": params["KeepJobFlowAliveWhenNoSteps"]})


def set_visible_to_all_users(context: Context, params: Params) -> None:
    _set(context, params, {"visible_to_all_users": params["VisibleToAllUsers"]})


def modify_cluster(context: Context, params: Params) -> Answer:
    level = checked_concurrency(params.get("StepConcurrencyLevel", 1))

    def allowed(cluster: ClusterRecord) -> None:
        _check_alive(cluster)
        if level > 1 and any(step.action_on_failure != "CONTINUE" for step in cluster.steps if step.state == "PENDING"):
            raise invalid_request("ActionOnFailure must be CONTINUE when StepConcurrencyLevel is greater than 1.")

    context.store.apply(params["ClusterId"], machine.Changed({"step_concurrency": level}), check=allowed)
    return {"StepConcurrencyLevel": level}


def add_tags(context: Context, params: Params) -> Answer:
    added = tags_of(params["Tags"])
    cluster = context.store.find(params["ResourceId"])
    context.store.apply(cluster.id, machine.Changed({"tags": {**cluster.tags, **added}}))
    return {}


def remove_tags(context: Context, params: Params) -> Answer:
    cluster = context.store.find(params["ResourceId"])
    kept = {key: value for key, value in cluster.tags.items() if key not in params["TagKeys"]}
    context.store.apply(cluster.id, machine.Changed({"tags": kept}))
    return {}


def put_auto_termination_policy(context: Context, params: Params) -> Answer:
    seconds = idle_timeout_of(params.get("AutoTerminationPolicy", {}))
    context.store.apply(params["ClusterId"], machine.Changed({"idle_timeout": seconds}), check=_check_alive)
    return {}


def get_auto_termination_policy(context: Context, params: Params) -> Answer:
    seconds = context.store.find(params["ClusterId"]).idle_timeout
    return {} if seconds is None else {"AutoTerminationPolicy": {"IdleTimeout": seconds}}


def remove_auto_termination_policy(context: Context, params: Params) -> Answer:
    context.store.apply(params["ClusterId"], machine.Changed({"idle_timeout": None}))
    return {}


def put_managed_scaling_policy(context: Context, params: Params) -> Answer:
    policy = params["ManagedScalingPolicy"]
    context.store.apply(params["ClusterId"], machine.Changed({"managed_scaling": policy}), check=_check_alive)
    return {}


def get_managed_scaling_policy(context: Context, params: Params) -> Answer:
    policy = context.store.find(params["ClusterId"]).managed_scaling
    return {} if policy is None else {"ManagedScalingPolicy": policy}


def remove_managed_scaling_policy(context: Context, params: Params) -> Answer:
    context.store.apply(params["ClusterId"], machine.Changed({"managed_scaling": None}))
    return {}


def _set(context: Context, params: Params, fields: dict[str, object]) -> None:
    clusters = [context.store.find(each) for each in params["JobFlowIds"]]
    for each in clusters:
        context.store.apply(each.id, machine.Changed(fields), check=_check_alive)


def _check_alive(cluster: ClusterRecord) -> None:
    if cluster.ended:
        raise invalid_request(f"Cluster {cluster.id} is in state {cluster.state} and cannot be changed.")


def _moment(value: Any) -> datetime | None:
    return None if value is None else datetime.fromtimestamp(float(value), UTC)
