"""Of `make chaos` what fits into one small run: each of EMR's calls is throttled, broken, reset and loses its answer.

Connections that hang, killed processes and the real DAG are left to `make chaos`.
"""

from __future__ import annotations

import pytest
from aws_account import OVER, Account
from proxy import Proxy

from chaos.wire import EMR_WRITES, HANGS, in_turn

CALLS = (*EMR_WRITES, "ListClusters", "DescribeCluster", "ListSteps", "DescribeStep")


@pytest.mark.usefixtures("airflow_db")
def test_a_run_on_a_line_that_fails_every_call_in_every_way(account: Account, proxy: Proxy) -> None:
    """One cluster, one step a task, nothing left; no task needed a second try."""
    from through_airflow import bad_line

    rules = [rule for call in CALLS for rule in in_turn("emr", {"operation": call}, without=HANGS)]
    proxy.strike(*rules)
    run = bad_line.test()
    assert run.state == "success"
    assert {task.try_number for task in run.get_task_instances()} == {1}
    assert [rule["operation"] for rule in proxy.unused()] == []
    cluster_id = str(run.get_task_instance("create").xcom_pull(task_ids="create"))
    cluster = account.emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
    assert [each["Id"] for each in account.clusters(cluster["Name"])] == [cluster_id]
    assert cluster["Status"]["State"] in OVER
    steps = account.emr.list_steps(ClusterId=cluster_id)["Steps"]
    assert [(step["Name"].split()[0], step["Status"]["State"]) for step in steps[::-1]] == [
        ("first", "COMPLETED"), ("second", "COMPLETED"), ("third", "COMPLETED"),
    ]  # fmt: skip
