"""A sweep as steps: the cluster's request, the trials' steps, and that a run without one is as it was."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG
from fake_run import FakeRun

from dermaflow.emr.job_flow import training_job_flow
from dermaflow.form import form_params
from dermaflow.operators.plan_sweep import PlanSweepOperator
from dermaflow.operators.train import TrainOperator
from dermaflow.operators.trial import TrialOperator
from dermaflow.run import run_spec
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.run_spec import CodeRef, RunSpec


def spec_with(run: FakeRun, trials: int, parallel: int = 2) -> RunSpec:
    options = RunOptions.parse({"sweep": {"sweep_trials": trials, "sweep_parallel": parallel}})
    code = CodeRef(code_id="c" * 64, environment_id="e" * 64)
    return run_spec(run.context(), root="s3://bucket/p", code=code, options=options)


def steps(spec: RunSpec) -> tuple[TrialOperator, TrainOperator]:
    step: dict[str, Any] = {"cluster_id": "j-1", "run_spec": spec.model_dump(mode="json")}
    step |= {"action_on_failure": "CANCEL_AND_WAIT"}
    with DAG("sweep", schedule=None):
        trial = TrialOperator(task_id="trial", trial=3, **step)
        return trial, TrainOperator(task_id="train", then=["trial"], **step)


@pytest.mark.parametrize(("trials", "parallel", "level"), [(0, 4, 1), (1, 4, 1), (8, 4, 4), (3, 4, 3)])
def test_a_cluster_runs_as_many_steps_at_once_as_there_are_trials_for(
    run: FakeRun, trials: int, parallel: int, level: int
) -> None:
    assert training_job_flow(spec_with(run, trials, parallel))["StepConcurrencyLevel"] == level


def test_the_plan_is_the_trials_numbers(run: FakeRun) -> None:
    """None without a sweep: the mapped task is then skipped."""
    for trials in (0, 3):
        plan = PlanSweepOperator(task_id="plan", run_spec=spec_with(run, trials).model_dump(mode="json"))
        assert run.execute(plan) == list(range(trials))


def test_a_trial_is_a_step_of_its_own_that_stops_nothing(run: FakeRun) -> None:
    """EMR refuses anything but CONTINUE where steps run side by side, and a step added ahead would not wait."""
    trial, train = steps(spec_with(run, 5))
    request = trial.request(run.context())
    assert request["ActionOnFailure"] == "CONTINUE"
    assert request["HadoopJarStep"]["Args"][-2:] == ["--trial", "3"]
    trigger = trial._trigger("s-1")
    assert trigger.progress_uri.endswith("/steps/train-trial-003/progress.json")
    assert trigger.failure_uri.endswith("/steps/train-trial-003/failure.json")
    assert train.request(run.context())["ActionOnFailure"] == "CONTINUE"
    assert train._requests_behind(run.context()) == []


def test_a_run_without_a_sweep_keeps_its_queue(run: FakeRun) -> None:
    _, train = steps(spec_with(run, 0))
    assert train.request(run.context())["ActionOnFailure"] == "CANCEL_AND_WAIT"
    assert len(train._requests_behind(run.context())) == 1
    assert "--trial" not in train.request(run.context())["HadoopJarStep"]["Args"]


def test_the_form_offers_a_sweep() -> None:
    """The search space as JSON."""
    params = form_params()
    assert params["sweep_trials"].value == 0
    assert params["sweep_space"].schema["type"] == "object"
    assert params["sweep_space"].value["learning_rate"] == {"low": 0.0003, "high": 0.006, "log": True}
