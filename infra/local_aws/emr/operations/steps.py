"""AddJobFlowSteps, what describes steps, and CancelSteps."""

from __future__ import annotations

from local_aws.emr import machine, views
from local_aws.emr.context import Answer, Context, Params
from local_aws.emr.errors import invalid_request, validation_error
from local_aws.emr.paging import page
from local_aws.emr.records import ACTIVE_STEP, GOING_OR_GONE, ClusterRecord, StepRecord, StepState
from local_aws.emr.requests import steps_of
from local_aws.emr.store import now

STEPS_A_PAGE = 50
STEPS_ASKED_FOR = 10


def add_job_flow_steps(context: Context, params: Params) -> Answer:
    cluster = context.store.find(params["JobFlowId"])
    _check_takes_steps(cluster)
    active = sum(step.state in ACTIVE_STEP for step in cluster.steps)
    steps = steps_of(params["Steps"], now(), concurrency=cluster.step_concurrency, active=active)
    context.store.apply(cluster.id, machine.StepsAdded(steps), check=_check_takes_steps)
    return {"StepIds": [step.id for step in steps]}


def describe_step(context: Context, params: Params) -> Answer:
    step = context.store.find(params["ClusterId"]).step(params["StepId"])
    if step is None:
        raise invalid_request(f"Step id '{params['StepId']}' is not valid.")
    return {"Step": views.step(step)}


def list_steps(context: Context, params: Params) -> Answer:
    """Newest first."""
    cluster = context.store.find(params["ClusterId"])
    states, ids = params.get("StepStates"), params.get("StepIds")
    if states and ids:
        raise invalid_request("Cannot specify both step ids and step states.")
    if ids and len(ids) > STEPS_ASKED_FOR:
        raise invalid_request(f"At most {STEPS_ASKED_FOR} step ids can be asked for.")

    def wanted(each: StepRecord) -> bool:
        return (not states or each.state in states) and (not ids or each.id in ids)

    steps, marker = page([each for each in reversed(cluster.steps) if wanted(each)], params.get("Marker"), STEPS_A_PAGE)
    return {"Steps": [views.step(each) for each in steps], **marker}


def cancel_steps(context: Context, params: Params) -> Answer:
    cluster = context.store.find(params["ClusterId"])
    option = params.get("StepCancellationOption", "SEND_INTERRUPT")
    infos = [_cancellation(cluster, each) for each in params["StepIds"]]
    submitted = frozenset(info["StepId"] for info in infos if info["Status"] == "SUBMITTED")
    context.store.apply(cluster.id, machine.CancelAsked(submitted, option))
    return {"CancelStepsInfoList": infos}


def _cancellation(cluster: ClusterRecord, step_id: str) -> dict[str, str]:
    step = cluster.step(step_id)
    if step is None:
        return {"StepId": step_id, "Status": "FAILED", "Reason": f"Step id '{step_id}' is not valid."}
    if step.state in {StepState.PENDING, StepState.RUNNING}:
        return {"StepId": step_id, "Status": "SUBMITTED"}
    reason = f"Cannot cancel step with id {step_id} because it is in state {step.state}."
    return {"StepId": step_id, "Status": "FAILED", "Reason": reason}


def _check_takes_steps(cluster: ClusterRecord) -> None:
    if cluster.state in GOING_OR_GONE:
        raise validation_error("A job flow that is shutting down, terminated, or finished may not be modified.")
