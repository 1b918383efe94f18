"""Train the lesion classifier once a week on a rented cluster, and give the cluster back whatever happens."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, CronDataIntervalTimetable

from dermaflow import settings
from dermaflow.form import form_params
from dermaflow.notify import callbacks
from dermaflow.operators.check_inputs import CheckInputsOperator
from dermaflow.operators.create_training_cluster import CreateTrainingClusterOperator
from dermaflow.operators.evaluate import EvaluateOperator
from dermaflow.operators.gather_metrics import GatherMetricsOperator
from dermaflow.operators.plan_sweep import PlanSweepOperator
from dermaflow.operators.preprocess import PreprocessOperator
from dermaflow.operators.promote import PromoteOperator
from dermaflow.operators.publish_code import PublishCodeOperator
from dermaflow.operators.terminate_cluster import TerminateClusterOperator
from dermaflow.operators.train import TrainOperator
from dermaflow.operators.trial import TrialOperator
from dermaflow.operators.verify import VerifyEnvironmentOperator
from dermaflow.operators.wait_for_cluster import WaitForClusterOperator

cron = settings.schedule()

with DAG(
    dag_id="lesion_training",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable(cron, timezone="UTC") if cron else None,
    start_date=datetime(2026, 1, 5),
    catchup=False,
    max_active_runs=settings.runs_at_once(),
    params=form_params(),
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=20),
        "execution_timeout": timedelta(minutes=20),
    },
    tags=["dermaflow"],
    **callbacks("success", "failure"),
):
    check_inputs = CheckInputsOperator(task_id="check_inputs")
    run_spec = check_inputs.output
    publish_code = PublishCodeOperator(task_id="publish_code", run_spec=run_spec)
    create_cluster = CreateTrainingClusterOperator(task_id="create_cluster", run_spec=run_spec)
    wait_for_cluster = WaitForClusterOperator(task_id="wait_for_cluster", cluster_id=create_cluster.output)
    on_cluster: dict[str, Any] = {"cluster_id": create_cluster.output, "run_spec": run_spec}
    step = on_cluster | {"action_on_failure": "CANCEL_AND_WAIT"}
    queue = ("preprocess", "train", "evaluate")  # added to the cluster at once: it never waits for Airflow
    verify_environment = VerifyEnvironmentOperator(task_id="verify_environment", then=queue, **step)
    preprocess = PreprocessOperator(task_id="preprocess", then=queue[1:], **step)
    plan_sweep = PlanSweepOperator(task_id="plan_sweep", run_spec=run_spec)
    trials = TrialOperator.partial(task_id="trial", **on_cluster).expand(trial=plan_sweep.output)  # none: no sweep
    sweep_done = EmptyOperator(task_id="sweep_done", trigger_rule="none_failed")
    train = TrainOperator(task_id="train", then=queue[2:], **step)
    evaluate = EvaluateOperator(task_id="evaluate", **step)
    terminate_cluster = TerminateClusterOperator(
        task_id="terminate_cluster", cluster_id=create_cluster.output, needs=["promote"]
    )
    gather_metrics = GatherMetricsOperator(task_id="gather_metrics", **on_cluster)
    promote = PromoteOperator(task_id="promote", root="{{ params.root }}", record=gather_metrics.output)

    check_inputs >> publish_code >> create_cluster >> wait_for_cluster >> verify_environment
    verify_environment >> preprocess >> [trials, train]
    trials >> sweep_done >> train >> evaluate >> [gather_metrics, terminate_cluster]
    gather_metrics >> promote
    # publish_code counts as a setup too, so that the teardown runs even when create_cluster itself has failed
    terminate_cluster.as_teardown(setups=[publish_code, create_cluster], on_failure_fail_dagrun=True)
