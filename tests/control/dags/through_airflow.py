"""A run of the operators in small: shell steps in place of Spark's."""

from __future__ import annotations

from airflow.sdk import DAG
from emr_requests import ShellStep, create

from dermaflow.operators.terminate_cluster import TerminateClusterOperator
from dermaflow.operators.wait_for_cluster import WaitForClusterOperator

with DAG("through_airflow", schedule=None) as dag:
    cluster = create()
    ready = WaitForClusterOperator(task_id="ready", cluster_id=cluster.output)
    on_cluster = {"cluster_id": cluster.output, "action_on_failure": "CANCEL_AND_WAIT"}
    first = ShellStep(task_id="first", script="echo {{ run_id }}", then=["second", "third"], **on_cluster)
    second = ShellStep(task_id="second", script="echo {{ run_id }} again", **on_cluster)
    third = ShellStep(task_id="third", script="echo {{ ti.run_id }}", **on_cluster)
    terminate = TerminateClusterOperator(task_id="terminate", cluster_id=cluster.output)
    cluster >> ready >> first >> second >> third >> terminate.as_teardown(setups=cluster)
