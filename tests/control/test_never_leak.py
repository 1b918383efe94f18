"""Killed, forgotten, protected: the cluster is given back, and a step that nobody waits for is cancelled."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from aws_account import OVER, Account
from emr_requests import ShellStep, create, job_flow
from fake_run import FakeRun, again

from dermaflow.emr import names, reaping
from dermaflow.emr.clusters import Cluster
from dermaflow.emr.reaping import verdict
from dermaflow.errors import RunCutShort
from dermaflow.operators.create_cluster import CreateClusterOperator
from dermaflow.operators.reap_clusters import ReapClustersOperator
from dermaflow.operators.terminate_cluster import TerminateClusterOperator
from dermaflow.operators.wait_for_cluster import WaitForClusterOperator

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def trigger_of(run: FakeRun, operator: Any) -> Any:
    with pytest.raises(TaskDeferred) as deferred:
        run.execute(operator)
    return again(deferred.value.trigger)


def test_teardown_needs_no_id_and_lifts_protection(clean: Account, run: FakeRun) -> None:
    """The XCom is gone and somebody has protected the cluster."""
    cluster_id = run.execute(create())
    clean.emr.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=True)
    assert run.complete(TerminateClusterOperator(task_id="terminate")) == [cluster_id]
    assert clean.cluster_state(cluster_id) in OVER


def test_teardown_ends_every_cluster_of_the_run(clean: Account, run: FakeRun) -> None:
    """Even a twin that appeared after the run had settled on one."""
    first = run.execute(create())
    request = clean.emr.describe_cluster(ClusterId=first)["Cluster"]
    twin = clean.emr.run_job_flow(**job_flow(), Name=request["Name"], Tags=request["Tags"])["JobFlowId"]
    assert set(run.complete(TerminateClusterOperator(task_id="terminate"))) == {first, twin}


def test_teardown_ends_a_cluster_whose_tags_were_taken_off(clean: Account, run: FakeRun) -> None:
    """The id from create_cluster still knows it."""
    cluster_id = run.execute(create())
    clean.emr.remove_tags(ResourceId=cluster_id, TagKeys=[names.TAG_RUN_KEY])
    run.complete(TerminateClusterOperator(task_id="terminate", cluster_id=cluster_id))
    assert clean.cluster_state(cluster_id) in OVER


@pytest.mark.parametrize("ended", [False, True], ids=["protected since", "ended since"])
def test_what_befell_the_cluster_since_it_was_looked_at_is_no_obstacle(
    clean: Account, run: FakeRun, ended: bool
) -> None:
    """Between the look and the request, somebody protects it, or it ends by itself."""
    operator = create()
    cluster_id = run.execute(operator)
    clean.emr.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=ended)
    seen = operator.clusters().describe(cluster_id)
    assert seen
    if ended:
        clean.end_clusters(seen.name)
    else:
        clean.emr.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=True)
    operator.clusters().terminate(seen)
    clean.wait_for(cluster_id, OVER)


def test_a_run_that_was_marked_failed_does_not_end_as_a_success(clean: Account, run: FakeRun) -> None:
    """Airflow skips what has not begun and counts that as well done; the teardown says otherwise, cluster gone."""
    cluster_id = run.execute(create())
    run.states = {"promote": "skipped"}
    with pytest.raises(RunCutShort, match="ended before promote"):
        run.complete(TerminateClusterOperator(task_id="terminate", needs=["promote"]))
    assert clean.cluster_state(cluster_id) in OVER
    run.states = {"promote": "upstream_failed"}
    assert run.complete(TerminateClusterOperator(task_id="terminate", needs=["promote"])) == []


def test_a_create_task_killed_meanwhile_ends_what_it_created(clean: Account, run: FakeRun) -> None:
    """Its teardown may not run then, as a teardown waits for its setup's success."""

    class KilledInFlight(CreateClusterOperator):
        def request(self) -> Any:
            self.on_kill()
            return super().request()

    before = clean.calls("ElasticMapReduce.RunJobFlow")
    with pytest.raises(Exception, match="killed meanwhile"):
        run.execute(KilledInFlight(task_id="create", job_flow=job_flow()))
    assert clean.calls("ElasticMapReduce.RunJobFlow") == before + 1
    for cluster in clean.clusters(f"dermaflow-lesions={run.run_id}"):
        clean.wait_for(cluster["Id"], OVER)


def test_killed_while_waiting_for_the_cluster_ends_it(clean: Account, run: FakeRun) -> None:
    cluster_id = run.execute(create())
    trigger = trigger_of(run, WaitForClusterOperator(task_id="ready", cluster_id=cluster_id))
    clean.emr.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=True)
    asyncio.run(trigger.on_kill())
    assert clean.wait_for(cluster_id, OVER)


def test_what_a_kill_undoes_is_undone_though_the_triggerer_cancels_again(clean: Account, run: FakeRun) -> None:
    """Airflow 3.3 does so each second until the trigger is gone, in the middle of a call that takes longer."""
    cluster_id = run.execute(create())
    trigger = trigger_of(run, WaitForClusterOperator(task_id="ready", cluster_id=cluster_id))

    async def kill_and_cancel() -> None:
        killing = asyncio.create_task(trigger.on_kill())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        killing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await killing
        assert clean.cluster_state(cluster_id) not in OVER
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task is not asyncio.current_task()))

    asyncio.run(kill_and_cancel())
    assert clean.wait_for(cluster_id, OVER)


def test_killed_while_waiting_for_a_step_cancels_it_and_what_waits_behind(clean: Account, run: FakeRun) -> None:
    """Only what makes sense after it: a step that was added on its own account goes on."""
    cluster_id = run.execute(create())
    clean.wait_for(cluster_id, {"WAITING"})
    on_cluster = {"cluster_id": cluster_id, "script": "exec sleep 60"}
    mine = trigger_of(run, ShellStep(task_id="mine", **on_cluster))
    behind = trigger_of(run, ShellStep(task_id="behind", action_on_failure="CANCEL_AND_WAIT", **on_cluster))
    other = trigger_of(run, ShellStep(task_id="other", **on_cluster))
    clean.wait_for_step(cluster_id, mine.step_id, {"RUNNING"})
    asyncio.run(mine.on_kill())
    clean.wait_for_step(cluster_id, mine.step_id, {"CANCELLED"})
    clean.wait_for_step(cluster_id, behind.step_id, {"CANCELLED"})
    assert clean.step_state(cluster_id, other.step_id) in {"PENDING", "RUNNING"}


# ---- the reaper


def cluster_with(created: datetime, **tags: str) -> Cluster:
    full = {names.TAG_DEPLOYMENT: "airflow", names.TAG_RUN_KEY: "k", names.TAG_DAG_ID: "d", names.TAG_RUN_ID: "r"}
    return Cluster("j-1", "dermaflow-k", "WAITING", "", full | tags, created, None, protected=False)


OLD = NOW - timedelta(hours=2)
SOON, PAST = names.deadline_text(NOW + timedelta(hours=1)), names.deadline_text(NOW - timedelta(minutes=1))


@pytest.mark.parametrize(
    ("cluster", "over", "ended"),
    [
        pytest.param(cluster_with(OLD, **{names.TAG_DEADLINE: SOON}), True, True, id="run over"),
        pytest.param(cluster_with(OLD, **{names.TAG_DEADLINE: SOON}), None, True, id="run deleted"),
        pytest.param(cluster_with(OLD, **{names.TAG_DEADLINE: SOON}), False, False, id="run active"),
        pytest.param(cluster_with(OLD, **{names.TAG_DEADLINE: PAST}), False, True, id="deadline passed"),
        pytest.param(cluster_with(NOW - timedelta(minutes=2)), True, False, id="left to its teardown"),
        pytest.param(cluster_with(OLD, **{names.TAG_DEPLOYMENT: "staging"}), True, False, id="another Airflow's"),
        pytest.param(cluster_with(OLD, **{names.TAG_RUN_ID: "x" * 256}), None, False, id="run id cut off"),
        pytest.param(cluster_with(OLD, **{names.TAG_DEADLINE: "tomorrow"}), False, False, id="deadline unreadable"),
    ],
)
def test_the_reaper_ends_what_has_outlived_its_reason(cluster: Cluster, over: bool | None, ended: bool) -> None:
    reason = verdict(cluster, deployment="airflow", run_is_over=lambda _dag, _run: over, now=NOW)
    assert (reason is not None) == ended


def test_the_reaper_tells_cost_and_ends_only_when_it_may(clean: Account, run: FakeRun) -> None:
    """A dry run touches nothing; then the cluster past its deadline goes and another run's stays."""
    late = CreateClusterOperator(task_id="create", job_flow=job_flow(), max_age=timedelta(seconds=-1))
    cluster_id = run.execute(late)
    neighbour = FakeRun(run_id=f"{run.run_id}_neighbour")
    kept = neighbour.execute(create())
    context = run.context()
    context["ti"] = SimpleNamespace(get_dr_count=lambda **_: 1, map_index=-1)
    rows = execute(ReapClustersOperator(task_id="reap", only_tell="True"), context)
    assert [row["cluster"] for row in rows] == [cluster_id]
    assert "1 nodes" in rows[0]["cost"]
    assert clean.cluster_state(cluster_id) not in OVER
    execute(ReapClustersOperator(task_id="reap", only_tell="False"), context)
    clean.wait_for(cluster_id, OVER)
    assert clean.cluster_state(kept) not in OVER
    neighbour.complete(TerminateClusterOperator(task_id="terminate"))


def test_the_reaper_asks_airflow_whether_the_run_is_over(
    account: Account, airflow_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster that its run has left is let be while the run is on, and ended after it."""
    from through_airflow import forgetful, reaper

    monkeypatch.setattr(reaping, "GRACE", timedelta(0))
    run = forgetful.test()
    cluster_id = run.get_task_instance("create").xcom_pull(task_ids="create")
    assert cluster_id not in str(run.get_task_instance("reap").xcom_pull(task_ids="reap"))
    rows = reaper.test().get_task_instance("reap").xcom_pull(task_ids="reap")
    assert [row["why"] for row in rows if row["cluster"] == cluster_id] == [
        f"its run {run.run_id} of forgetful is over"
    ]
    account.wait_for(str(cluster_id), OVER)


def execute(operator: Any, context: Any) -> Any:
    from airflow.sdk.bases.operator import ExecutorSafeguard

    ExecutorSafeguard.tracker.set(operator)
    return operator.execute(context)
