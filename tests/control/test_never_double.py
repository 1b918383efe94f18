"""One cluster a run and one step a task, whatever is lost, repeated or asked for at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from aws_account import OVER, PAID, Account
from emr_requests import ShellStep, create
from fake_run import FakeRun
from proxy import BROKEN, LOST, THROTTLED, Proxy

from dermaflow.errors import AwsCallFailed, StepFailed
from dermaflow.run import run_key_of

RUN_JOB_FLOW = {"service": "emr", "operation": "RunJobFlow"}
ADD_STEPS = {"service": "emr", "operation": "AddJobFlowSteps"}


def ever_made(account: Account, run: FakeRun) -> int:
    return len(account.clusters(f"dermaflow-{run_key_of(run.context())}"))


def alive(account: Account, run: FakeRun) -> list[str]:
    return [each["Id"] for each in account.clusters(f"dermaflow-{run_key_of(run.context())}", PAID)]


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([{**THROTTLED, "times": 2}], id="throttled"),
        pytest.param([{**BROKEN, "times": 1}], id="server error"),
        pytest.param([{"reset": True, "times": 1}], id="connection reset"),
        pytest.param([{**LOST, "times": 1}], id="carried out, answer lost"),
    ],
)
def test_one_cluster_comes_of_a_bad_connection(
    clean: Account, proxy: Proxy, run: FakeRun, faults: list[dict[str, Any]]
) -> None:
    """EMR has no client token for RunJobFlow, so nobody may repeat it without looking first."""
    proxy.strike(*[RUN_JOB_FLOW | fault for fault in faults])
    cluster_id = run.execute(create("aws_proxied"))
    assert proxy.struck() >= 1
    assert alive(clean, run) == [cluster_id]
    assert ever_made(clean, run) == 1


def test_a_request_that_emr_refuses_is_not_repeated(clean: Account, run: FakeRun) -> None:
    before = clean.calls("ElasticMapReduce.RunJobFlow")
    with pytest.raises(AwsCallFailed, match="What to do"):
        run.execute(create(ReleaseLabel="emr-7.99.0"))
    assert clean.calls("ElasticMapReduce.RunJobFlow") == before + 1


def test_a_worker_that_died_after_creating_finds_the_cluster(clean: Account, run: FakeRun) -> None:
    """Neither XCom nor the stored id survived; name and tags did."""
    first = run.execute(create())
    run.stored.clear()
    assert run.execute(create()) == first
    assert ever_made(clean, run) == 1


def test_a_stored_id_is_not_believed_but_looked_up(clean: Account, run: FakeRun) -> None:
    """A cluster that ended meanwhile, or that never was, means a new one."""
    first = run.execute(create())
    clean.end_clusters(f"dermaflow-{run_key_of(run.context())}")
    second = run.execute(create())
    assert second != first
    run.stored["cluster_id"] = "j-0000000000000"
    assert run.execute(create()) == second


def test_two_tries_at_once_end_with_one_cluster(clean: Account, run: FakeRun) -> None:
    """A zombie and its successor: both get the same cluster, a twin is ended."""
    tries = [deepcopy(run) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(lambda each: each.execute(create()), tries))
    again = run.execute(create())
    usable = [c["Id"] for c in clean.clusters(f"dermaflow-{run_key_of(run.context())}", PAID)
              if c["Status"]["State"] != "TERMINATING"]  # fmt: skip
    assert usable == [again]
    assert again in ids


def test_other_options_mean_another_cluster_in_place_of_the_first(clean: Account, run: FakeRun) -> None:
    """Cleared and run again with other params: the old cluster is given back, not used."""
    first = run.execute(create())
    second = run.execute(create(EbsRootVolumeSize=64))
    assert second != first
    assert clean.wait_for(first, OVER)


def test_a_run_of_the_same_name_in_another_airflow_is_left_alone(
    clean: Account, run: FakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two deployments that share an account know their clusters by a tag."""
    ours = run.execute(create())
    monkeypatch.setenv("DERMAFLOW_DEPLOYMENT", "staging")
    theirs = FakeRun(run_id=run.run_id).execute(create())
    assert theirs != ours
    assert set(alive(clean, run)) == {ours, theirs}


# ---- steps


def start(run: FakeRun, operator: ShellStep) -> str:
    """The step that the task waits for."""
    with pytest.raises(TaskDeferred) as deferred:
        run.execute(operator)
    return str(deferred.value.trigger.step_id)


def step_count(account: Account, cluster_id: str) -> int:
    return len(account.emr.list_steps(ClusterId=cluster_id)["Steps"])


@pytest.fixture
def cluster_id(clean: Account, run: FakeRun) -> str:
    cluster_id: str = run.execute(create())
    clean.wait_for(cluster_id, {"WAITING"})
    return cluster_id


def test_a_retried_task_waits_for_its_running_step(clean: Account, run: FakeRun, cluster_id: str) -> None:
    operator = ShellStep(task_id="step", cluster_id=cluster_id, script="sleep 60")
    assert start(run, operator) == start(run, operator)
    assert step_count(clean, cluster_id) == 1


def test_a_retried_task_returns_for_its_completed_step(clean: Account, run: FakeRun, cluster_id: str) -> None:
    operator = ShellStep(task_id="step", cluster_id=cluster_id, script="true")
    run.complete(operator)
    run.execute(operator)
    assert step_count(clean, cluster_id) == 1


def test_a_retried_task_adds_its_failed_step_again(clean: Account, run: FakeRun, cluster_id: str) -> None:
    """The second time the step finds what it lacked."""
    flag = f"/tmp/{cluster_id}"  # noqa: S108
    operator = ShellStep(task_id="step", cluster_id=cluster_id, script=f"test -e {flag} || {{ touch {flag}; exit 1; }}")
    with pytest.raises(StepFailed):
        run.complete(operator)
    run.complete(operator)
    assert step_count(clean, cluster_id) == 2


def test_a_cancelled_step_is_added_again(clean: Account, run: FakeRun, cluster_id: str) -> None:
    operator = ShellStep(task_id="step", cluster_id=cluster_id, script="exec sleep 60")
    first = start(run, operator)
    clean.wait_for_step(cluster_id, first, {"RUNNING"})
    clean.emr.cancel_steps(ClusterId=cluster_id, StepIds=[first])
    clean.wait_for_step(cluster_id, first, {"CANCELLED"})
    assert start(run, operator) != first


@pytest.mark.parametrize("fault", [LOST, BROKEN, THROTTLED], ids=["answer lost", "server error", "throttled"])
def test_one_step_comes_of_a_bad_connection(
    clean: Account, proxy: Proxy, run: FakeRun, cluster_id: str, fault: dict[str, Any]
) -> None:
    proxy.strike(ADD_STEPS | fault | {"times": 1})
    start(run, ShellStep(task_id="step", cluster_id=cluster_id, script="sleep 60", aws_conn_id="aws_proxied"))
    assert proxy.struck() >= 1
    assert step_count(clean, cluster_id) == 1


def test_two_tasks_of_one_command_have_a_step_each(clean: Account, run: FakeRun, cluster_id: str) -> None:
    """Mapped tasks differ by index, others by name."""
    ids = {start(run, ShellStep(task_id=name, cluster_id=cluster_id, script="sleep 60")) for name in ("a", "b")}
    assert len(ids) == step_count(clean, cluster_id) == 2
