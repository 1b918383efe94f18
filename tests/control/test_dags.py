"""The DAGs as Airflow sees them, and one run through Airflow itself."""

from __future__ import annotations

import importlib
import inspect
import itertools
import pkgutil
from pathlib import Path

import pytest
from airflow.sdk import DAG, TriggerRule
from aws_account import OVER, REPO, Account

import dermaflow.operators
from dermaflow.operators.base import AwsOperator
from dermaflow.operators.spark_step import SparkStepOperator
from dermaflow.pools import CLUSTERS

PIPELINE = (
    "check_inputs anything_new publish_code create_cluster wait_for_cluster verify_environment"
    " preprocess train evaluate gather_metrics promote"
)
DAG_IDS = {"champion_rollback", "emr_reaper", "lesion_scoring", "lesion_training"}


@pytest.fixture(scope="module")
def dags() -> dict[str, DAG]:
    """As Airflow's own loader finds them."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(REPO / "dags", load_op_links=False)
    assert bag.import_errors == {}
    return dict(bag.dags)


@pytest.fixture(scope="module")
def training(dags: dict[str, DAG]) -> DAG:
    return dags["lesion_training"]


def operators() -> list[type[AwsOperator]]:
    """Every operator class of the package, found by walking it."""
    found = set()
    for module in pkgutil.iter_modules(dermaflow.operators.__path__):
        for value in vars(importlib.import_module(f"dermaflow.operators.{module.name}")).values():
            if inspect.isclass(value) and issubclass(value, AwsOperator):
                found.add(value)
    return sorted(found, key=lambda each: each.__name__)


def test_the_pipeline_reads_as_the_design_has_it(training: DAG) -> None:
    """One path from check to promotion; the results do not wait for the teardown."""
    for before, after in itertools.pairwise(PIPELINE.split()):
        assert after in training.get_task(before).downstream_task_ids, (before, after)
    assert "terminate_cluster" in training.get_task("evaluate").downstream_task_ids
    assert training.get_task("terminate_cluster").downstream_task_ids == {"account_cost"}
    assert not training.get_task("account_cost").on_failure_fail_dagrun


def test_the_teardown_runs_even_when_creating_failed(training: DAG) -> None:
    """A teardown needs one of its setups to succeed: publish_code has, whenever there may be a cluster."""
    teardown = training.get_task("terminate_cluster")
    assert teardown.is_teardown
    assert teardown.trigger_rule == TriggerRule.ALL_DONE_SETUP_SUCCESS
    assert teardown.on_failure_fail_dagrun
    setups = {task.task_id for task in training.tasks if task.is_setup}
    assert setups == {"publish_code", "create_cluster"} <= teardown.upstream_task_ids


def test_nothing_runs_away(training: DAG) -> None:
    """No catching up; every task has retries and a limit of time.

    No dagrun_timeout: when it strikes, Airflow marks unfinished tasks SKIPPED, the teardown with them.
    """
    assert training.catchup is False
    assert training.dagrun_timeout is None
    assert all(task.retries and task.execution_timeout for task in training.tasks)


def test_every_task_on_a_cluster_holds_a_slot_of_the_pool_and_giving_back_waits_for_none(training: DAG) -> None:
    """Those that work on a cluster go before those that would create another."""
    pooled = {task.task_id: task for task in training.tasks if task.pool == CLUSTERS}
    steps = {"wait_for_cluster", "verify_environment", "preprocess", "train", "evaluate"}
    assert set(pooled) == steps | {"create_cluster"}
    weights = {name: task.weight_rule and task.priority_weight for name, task in pooled.items()}
    assert weights.pop("create_cluster") < min(weights.values())


def test_every_step_brings_along_those_that_follow(training: DAG) -> None:
    """So that EMR has them before Airflow gets to their tasks, after a retry as well, and cancels them if one fails."""
    chain = ["verify_environment", "preprocess", "train", "evaluate"]
    steps = [training.get_task(task_id) for task_id in chain]
    assert all(isinstance(step, SparkStepOperator) for step in steps)
    for number, step in enumerate(steps):
        assert list(step.then) == chain[number + 1 :]
    assert {step.action_on_failure for step in steps} == {"CANCEL_AND_WAIT"}


def test_a_sweep_lies_between_the_dataset_and_the_training(training: DAG) -> None:
    """Mapped over the plan. Without trials the mapped task is skipped, and `train` runs all the same."""
    trial = training.get_task("trial")
    assert trial.is_mapped
    assert {"plan_sweep", "preprocess"} <= trial.upstream_task_ids
    assert trial.downstream_task_ids == {"sweep_done"}
    done = training.get_task("sweep_done")
    assert (done.trigger_rule, done.downstream_task_ids) == (TriggerRule.NONE_FAILED, {"train"})


def test_the_reaper_is_on_from_the_start(dags: dict[str, DAG]) -> None:
    """Airflow pauses new DAGs; a safety net that somebody has to remember is none."""
    reaper = dags["emr_reaper"]
    assert reaper.is_paused_upon_creation is False
    assert "*/15" in repr(reaper.timetable)
    assert reaper.params["dry_run"] is False


def test_every_dag_file_is_wiring_only(dags: dict[str, DAG]) -> None:
    """On one screen, without a function or a class."""
    assert set(dags) == DAG_IDS
    for path in (REPO / "dags").glob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 90, path.name
        assert "def " not in text, path.name
    assert all(dag.doc_md for dag in dags.values())


@pytest.mark.parametrize("operator", operators(), ids=lambda each: each.__name__)
def test_an_operator_can_be_used_by_anybody(operator: type[AwsOperator]) -> None:
    """Its template fields exist, it takes keywords only, and a concrete one shows how it is used."""
    names = [name for base in operator.__mro__ for name in inspect.signature(base.__init__).parameters]
    assert set(operator.template_fields) <= set(names)
    kinds = [p.kind for p in inspect.signature(operator.__init__).parameters.values() if p.name != "self"]
    assert inspect.Parameter.POSITIONAL_ONLY not in kinds
    assert inspect.Parameter.POSITIONAL_OR_KEYWORD not in kinds
    if operator.__name__ not in {"AwsOperator", "WaitingOperator", "JobStepOperator"}:
        assert ".. code-block:: python" in (operator.__doc__ or "")


def test_airflow_loads_the_registration_file_and_not_the_package() -> None:
    """The loader would run every module of the package under its bare stem, `types` and all."""
    ignored = [line for line in (REPO / "plugins/.airflowignore").read_text().splitlines() if line[:1] != "#"]
    assert ignored == ["dermaflow/"]
    from airflow._shared.module_loading.file_discovery import find_path_from_directory

    seen = {Path(path).name for path in find_path_from_directory(str(REPO / "plugins"), ".airflowignore")}
    assert seen & {"dermaflow_plugin.py", "errors.py"} == {"dermaflow_plugin.py"}


def test_a_run_through_airflow(account: Account, airflow_db: None) -> None:
    """Templates, XComs, deferral and teardown as Airflow does them; steps added ahead are found by their tasks."""
    from through_airflow import dag

    run = dag.test()
    assert run.state == "success"
    cluster_id = str(run.get_task_instance("create").xcom_pull(task_ids="create"))
    steps = account.emr.list_steps(ClusterId=cluster_id)["Steps"]
    assert [step["Name"].split()[0] for step in steps[::-1]] == ["first", "second", "third"]
    assert all(step["Status"]["State"] == "COMPLETED" for step in steps)
    assert account.cluster_state(cluster_id) in OVER
