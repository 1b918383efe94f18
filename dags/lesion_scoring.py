"""Let the champion score a folder of new images on a rented cluster, and tell whether they are like those it learned
from. Not for clinical use.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG

from dermaflow.assets import RAW_DATA
from dermaflow.form import scoring_params
from dermaflow.notify import callbacks
from dermaflow.operators.account_cost import AccountCostOperator
from dermaflow.operators.announce_drift import AnnounceDriftOperator
from dermaflow.operators.check_scoring import CheckScoringOperator
from dermaflow.operators.create_training_cluster import CreateTrainingClusterOperator
from dermaflow.operators.publish_code import PublishCodeOperator
from dermaflow.operators.score import ScoreOperator
from dermaflow.operators.terminate_cluster import TerminateClusterOperator
from dermaflow.operators.verify import VerifyEnvironmentOperator
from dermaflow.operators.wait_for_cluster import WaitForClusterOperator
from dermaflow.pools import CREATES, WORKS

with DAG(
    dag_id="lesion_scoring",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 5),
    catchup=False,
    max_active_runs=1,
    params=scoring_params(),
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=20),
        "execution_timeout": timedelta(minutes=20),
    },
    tags=["dermaflow"],
    **callbacks("success", "failure"),
):
    check_scoring = CheckScoringOperator(task_id="check_scoring")
    run_spec = check_scoring.output
    publish_code = PublishCodeOperator(task_id="publish_code", run_spec=run_spec)
    create_cluster = CreateTrainingClusterOperator(task_id="create_cluster", run_spec=run_spec, **CREATES)
    on_cluster: dict[str, Any] = {"cluster_id": create_cluster.output, **WORKS}
    wait_for_cluster = WaitForClusterOperator(task_id="wait_for_cluster", **on_cluster)
    step = on_cluster | {"run_spec": run_spec, "action_on_failure": "CANCEL_AND_WAIT"}
    verify_environment = VerifyEnvironmentOperator(task_id="verify_environment", then=("score",), **step)
    score = ScoreOperator(task_id="score", **step)
    terminate_cluster = TerminateClusterOperator(
        task_id="terminate_cluster", cluster_id=create_cluster.output, needs=["score"]
    )
    account_cost = AccountCostOperator(task_id="account_cost", root="{{ params.root }}")
    announce_drift = AnnounceDriftOperator(
        task_id="announce_drift", report=score.output, wanted="{{ params.announce_drift }}", outlets=[RAW_DATA]
    )

    check_scoring >> publish_code >> create_cluster >> wait_for_cluster >> verify_environment >> score
    score >> [announce_drift, terminate_cluster]
    # publish_code counts as a setup too, so that the teardown runs even when create_cluster itself has failed
    terminate_cluster.as_teardown(setups=[publish_code, create_cluster], on_failure_fail_dagrun=True)
    terminate_cluster >> account_cost.as_teardown(setups=[publish_code, create_cluster])
