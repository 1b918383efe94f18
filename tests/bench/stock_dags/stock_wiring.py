"""The same pipeline with the Amazon provider's own operators, wired as its examples do: create, then for every step
add it and wait for it with a sensor, then terminate.

The requests are ours to the letter; checks, code and run spec are ours too, since the provider has nothing like them.
Intervals and modes are the provider's defaults.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.providers.amazon.aws.operators.emr import (
    EmrAddStepsOperator,
    EmrCreateJobFlowOperator,
    EmrTerminateJobFlowOperator,
)
from airflow.providers.amazon.aws.sensors.emr import EmrStepSensor
from airflow.sdk import DAG, TriggerRule, task

from dermaflow.emr.job_flow import training_job_flow
from dermaflow.emr.spark_step import job_args, step_request
from dermaflow.form import form_params
from dermaflow.operators.check_inputs import CheckInputsOperator
from dermaflow.operators.publish_code import PublishCodeOperator
from dermaflow_jobs.contract.run_spec import RunSpec
from dermaflow_jobs.contract.steps import StepName

STEPS: tuple[StepName, ...] = ("verify", "preprocess", "train", "evaluate")


@task
def requests(run_spec: dict[str, Any]) -> dict[str, Any]:
    spec = RunSpec.parse(run_spec)
    steps = {step: step_request(step, step, job_args(step, spec)) for step in STEPS}
    return {"job_flow": {**training_job_flow(spec), "Name": "stock wiring"}, "steps": steps}


with DAG(
    dag_id="stock_wiring",
    schedule=None,
    start_date=datetime(2026, 1, 5),
    params=form_params(),
    render_template_as_native_obj=True,
):
    checked = CheckInputsOperator(task_id="check_inputs")
    published = PublishCodeOperator(task_id="publish_code", run_spec=checked.output)
    asked = requests(checked.output)  # type: ignore[arg-type]
    create_cluster = EmrCreateJobFlowOperator(
        task_id="create_cluster", job_flow_overrides="{{ ti.xcom_pull(task_ids='requests')['job_flow'] }}"
    )
    cluster_id: Any = create_cluster.output
    published >> asked >> create_cluster
    before: Any = create_cluster
    for step in STEPS:
        added = EmrAddStepsOperator(
            task_id=f"add_{step}",
            job_flow_id=cluster_id,
            steps=f"{{{{ [ti.xcom_pull(task_ids='requests')['steps']['{step}']] }}}}",
        )
        waited = EmrStepSensor(
            task_id=f"wait_for_{step}",
            job_flow_id=cluster_id,
            step_id=f"{{{{ ti.xcom_pull(task_ids='add_{step}')[0] }}}}",
        )
        before >> added >> waited
        before = waited
    terminate_cluster = EmrTerminateJobFlowOperator(
        task_id="terminate_cluster", job_flow_id=cluster_id, trigger_rule=TriggerRule.ALL_DONE
    )
    before >> terminate_cluster
