"""Train the lesion classifier once a week on a rented cluster, and give the cluster back whatever happens."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TriggerRule

from dermaflow import settings
from dermaflow.assets import CHAMPION_CHANGED, DATASET, MODEL, RAW_DATA
from dermaflow.form import form_params
from dermaflow.notify import callbacks, notice
from dermaflow.operators.account_cost import AccountCostOperator
from dermaflow.operators.approve_promotion import ApprovePromotionOperator
from dermaflow.operators.check_inputs import CheckInputsOperator
from dermaflow.operators.check_news import CheckNewsOperator
from dermaflow.operators.create_training_cluster import CreateTrainingClusterOperator
from dermaflow.operators.evaluate import EvaluateOperator
from dermaflow.operators.gather_metrics import GatherMetricsOperator
from dermaflow.operators.plan_sweep import PlanSweepOperator
from dermaflow.operators.preprocess import PreprocessOperator
from dermaflow.operators.promote import PromoteOperator
from dermaflow.operators.publish_code import PublishCodeOperator
from dermaflow.operators.terminate_cluster import TerminateClusterOperator
from dermaflow.operators.track import TrackOperator
from dermaflow.operators.train import TrainOperator
from dermaflow.operators.trial import TrialOperator
from dermaflow.operators.verify import VerifyEnvironmentOperator
from dermaflow.operators.wait_for_cluster import WaitForClusterOperator
from dermaflow.pools import CREATES, WORKS
from dermaflow.schedule import by_time_or_new_images

with DAG(
    dag_id="lesion_training",
    doc_md=__doc__,
    schedule=by_time_or_new_images(),
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
    check_inputs = CheckInputsOperator(task_id="check_inputs", inlets=[RAW_DATA])
    run_spec = check_inputs.output
    anything_new = CheckNewsOperator(task_id="anything_new", run_spec=run_spec)
    publish_code = PublishCodeOperator(task_id="publish_code", run_spec=run_spec)
    create_cluster = CreateTrainingClusterOperator(task_id="create_cluster", run_spec=run_spec, **CREATES)
    cluster_id = create_cluster.output
    of_run: dict[str, Any] = {"cluster_id": cluster_id, "run_spec": run_spec}
    wait_for_cluster = WaitForClusterOperator(task_id="wait_for_cluster", cluster_id=cluster_id, **WORKS)
    step = of_run | WORKS | {"action_on_failure": "CANCEL_AND_WAIT"}
    queue = ("preprocess", "train", "evaluate")  # added to the cluster at once: it never waits for Airflow
    verify_environment = VerifyEnvironmentOperator(task_id="verify_environment", then=queue, **step)
    preprocess = PreprocessOperator(task_id="preprocess", then=queue[1:], inlets=[RAW_DATA], outlets=[DATASET], **step)
    plan_sweep = PlanSweepOperator(task_id="plan_sweep", run_spec=run_spec)
    trials = TrialOperator.partial(task_id="trial", **of_run).expand(trial=plan_sweep.output)  # one cluster: no pool
    sweep_done = EmptyOperator(task_id="sweep_done", trigger_rule=TriggerRule.NONE_FAILED)
    train = TrainOperator(task_id="train", then=queue[2:], inlets=[DATASET], outlets=[MODEL], **step)
    evaluate = EvaluateOperator(task_id="evaluate", inlets=[DATASET, MODEL], **step)
    terminate_cluster = TerminateClusterOperator(task_id="terminate_cluster", cluster_id=cluster_id, needs=["promote"])
    account_cost = AccountCostOperator(task_id="account_cost", root="{{ params.root }}")
    gather_metrics = GatherMetricsOperator(task_id="gather_metrics", **of_run)
    result: dict[str, Any] = {"run_spec": run_spec, "record": gather_metrics.output}
    approve = ApprovePromotionOperator(task_id="approve", notifiers=[notice("approval")], **result)
    promote = PromoteOperator(
        task_id="promote",
        answer=approve.output,
        inlets=[MODEL],
        outlets=[CHAMPION_CHANGED],
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,  # approve is skipped where nobody is asked
        **result,
    )

    check_inputs >> anything_new >> [publish_code, plan_sweep]
    publish_code >> create_cluster >> wait_for_cluster >> verify_environment >> preprocess >> [trials, train]
    trials >> sweep_done >> train >> evaluate >> [gather_metrics, terminate_cluster]
    gather_metrics >> approve >> promote
    if settings.mlflow_uri():
        gather_metrics >> TrackOperator(task_id="track", **result)
    # publish_code counts as a setup too, so that the teardown runs even when create_cluster itself has failed
    terminate_cluster.as_teardown(setups=[publish_code, create_cluster], on_failure_fail_dagrun=True)
    [gather_metrics, terminate_cluster] >> account_cost.as_teardown(setups=[publish_code, create_cluster])
