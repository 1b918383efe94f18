"""A run of the operators in small: shell steps in place of Spark's."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG
from emr_requests import ShellStep, create

from dermaflow.operators.reap_clusters import ReapClustersOperator
from dermaflow.operators.terminate_cluster import TerminateClusterOperator
from dermaflow.operators.wait_for_cluster import WaitForClusterOperator


def small_run(dag_id: str, aws_conn_id: str, *, seconds: int = 5) -> DAG:
    """`seconds`: how long the first step takes."""
    with DAG(dag_id, schedule=None) as dag:
        cluster = create(aws_conn_id)
        there: dict[str, Any] = {"cluster_id": cluster.output, "aws_conn_id": aws_conn_id}
        ready = WaitForClusterOperator(task_id="ready", **there)
        step = there | {"action_on_failure": "CANCEL_AND_WAIT"}
        first = ShellStep(
            task_id="first", script=f"sleep {seconds}; echo {{{{ run_id }}}}", then=["second", "third"], **step
        )
        second = ShellStep(task_id="second", script="echo {{ run_id }} again", **step)
        third = ShellStep(task_id="third", script="echo {{ ti.run_id }}", **step)
        terminate = TerminateClusterOperator(task_id="terminate", **there)
        cluster >> ready >> first >> second >> third >> terminate.as_teardown(setups=cluster)
    return dag


def reaped(dag_id: str, *, forgetful: bool) -> DAG:
    """A run that reaps; `forgetful`, it leaves a cluster, and reaps while it is still on."""
    with DAG(dag_id, schedule=None) as dag:
        reap = ReapClustersOperator(task_id="reap", only_tell="False")
        if forgetful:
            create() >> reap
    return dag


dag = small_run("through_airflow", "aws_default")
bad_line = small_run("through_airflow_on_a_bad_line", "aws_proxied", seconds=30)
forgetful = reaped("forgetful", forgetful=True)
reaper = reaped("reaper", forgetful=False)
