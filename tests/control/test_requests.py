"""The requests that EMR gets, and what they are made of."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from aws_account import REPO
from botocore.validate import ParamValidator
from fake_run import FakeRun

from dermaflow.code_bundle import CodeBundle, build_bundle, package_files
from dermaflow.emr import names
from dermaflow.emr.cost import account, most_usd
from dermaflow.emr.instance_types import INSTANCE_TYPES
from dermaflow.emr.job_flow import Owner, marked, training_job_flow
from dermaflow.emr.prices import offline
from dermaflow.emr.sizing import APPLICATION_MASTER_MB, spark_size
from dermaflow.emr.spark_step import MAX_ARGUMENT_CHARS, job_args, step_request
from dermaflow.emr.steps import Step, dependents
from dermaflow.run import run_spec
from dermaflow.triggers.polling import FIRST_S, MOST_S, SHARE, interval
from dermaflow_jobs.contract.options import ClusterOptions, RunOptions, TrainOptions
from dermaflow_jobs.contract.run_spec import RunSpec
from dermaflow_jobs.contract.steps import StepName

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
STEPS: tuple[StepName, ...] = ("verify", "preprocess", "train", "evaluate")


@pytest.fixture(scope="module")
def bundle() -> CodeBundle:
    return build_bundle(REPO)


@pytest.fixture
def spec(bundle: CodeBundle, run: FakeRun) -> RunSpec:
    return run_spec(run.context(), root="s3://bucket/p", code=bundle.ref, options=RunOptions())


def complaints(operation: str, request: dict[str, Any]) -> str:
    """What botocore's model of EMR has against the request."""
    model = botocore.session.get_session().get_service_model("emr")
    report: str = ParamValidator().validate(request, model.operation_model(operation).input_shape).generate_report()
    return report


def request(spec: RunSpec) -> dict[str, Any]:
    owner = Owner("airflow", spec.identity.run_key, spec.identity.dag_id, spec.identity.run_id)
    return marked(training_job_flow(spec), owner, NOW)


def test_emr_knows_every_field_of_the_request(spec: RunSpec) -> None:
    assert complaints("RunJobFlow", request(spec)) == ""
    steps = [step_request(name, "k", job_args(name, spec)) for name in STEPS]
    assert complaints("AddJobFlowSteps", {"JobFlowId": "j-1", "Steps": steps}) == ""


def test_the_cluster_says_whose_it_is_and_until_when(spec: RunSpec) -> None:
    found = request(spec)
    assert found["Name"] == f"dermaflow-{spec.identity.run_key}"
    tags = names.tags_of(found)
    assert tags[names.TAG_RUN_KEY] == spec.identity.run_key
    assert names.parse_deadline(tags[names.TAG_DEADLINE]) == NOW
    assert found["AutoTerminationPolicy"] == {"IdleTimeout": 900}


def test_the_same_options_make_the_same_request_but_for_the_deadline(spec: RunSpec) -> None:
    """Otherwise a retried task would not know its own cluster again."""
    owner = Owner("airflow", "k", "d", "r")
    one, two = (names.tags_of(marked(training_job_flow(spec), owner, at)) for at in (NOW, NOW + timedelta(hours=1)))
    assert one[names.TAG_REQUEST] == two[names.TAG_REQUEST]
    assert one[names.TAG_DEADLINE] != two[names.TAG_DEADLINE]


def test_a_tag_holds_only_what_ec2_allows() -> None:
    assert names.tag_value("manual__2026-11-20T09:30:00+00:00") == "manual__2026-11-20T09:30:00+00:00"
    assert names.tag_value("Ärger & (mehr)*") == "-rger - -mehr--"
    assert len(names.tag_value("x" * 300)) == 256


@pytest.mark.parametrize("run_id", ["manual__2026-11-20T09:30:00+00:00", "Ärger = (mehr)* 100 %", "a=3Db"])
def test_the_reaper_reads_a_runs_id_back_from_its_tag(run_id: str) -> None:
    """Or it would look for a run that does not exist, and end the cluster of one that does."""
    value = names.quoted(run_id)
    assert value == names.tag_value(value)
    assert names.unquoted(value) == run_id
    assert names.unquoted(names.quoted("x" * 300)) is None


@pytest.mark.parametrize("name", STEPS)
def test_a_step_runs_the_environments_python_on_driver_and_executors(spec: RunSpec, name: StepName) -> None:
    """Named in the step itself, so that nothing else on the node can come first."""
    args = job_args(name, spec)
    python = f"/var/tmp/dermaflow/env-{spec.code.environment_id[:16]}/bin/python"  # noqa: S108
    assert f"spark.pyspark.python={python}" in args
    assert f"spark.pyspark.driver.python={python}" in args
    assert args[-3:] == [name, "--run-spec", f"s3://bucket/p/runs/{spec.identity.run_key}/run.json"]


def test_a_command_that_emr_would_refuse_for_its_length_is_refused_here() -> None:
    with pytest.raises(ValueError, match="10,240"):
        step_request("long", "k", ["x" * (MAX_ARGUMENT_CHARS + 1)])


@pytest.mark.parametrize("core_type", ["c5.xlarge", "m6i.xlarge", "r6i.4xlarge", "g4dn.xlarge"])
@pytest.mark.parametrize("name", STEPS)
def test_an_executor_fits_its_node_and_leaves_most_to_python(core_type: str, name: StepName) -> None:
    """Heap, overhead and the application master stay within YARN's share; the Python workers get the larger part."""
    size = spark_size(name, RunOptions(cluster=ClusterOptions(core_type=core_type)))
    node = INSTANCE_TYPES[core_type]
    assert size.heap_mb + size.overhead_mb + APPLICATION_MASTER_MB <= 0.76 * node.memory_mib
    assert size.overhead_mb > 2 * size.heap_mb
    assert size.executor_cores == node.vcpus


def test_training_has_an_executor_a_worker_and_the_whole_of_its_cores() -> None:
    options = RunOptions(train=TrainOptions(train_workers=2), cluster=ClusterOptions(core_count=3))
    train, preprocess = spark_size("train", options), spark_size("preprocess", options)
    assert (train.executors, train.task_cpus) == (2, train.executor_cores)
    assert (preprocess.executors, preprocess.task_cpus) == (3, 1)


def test_cost_is_reckoned_by_node_and_second() -> None:
    """A node that still runs counts until now, one that ran ten seconds for a minute, one without a price is named."""

    def node(kind: str, seconds: float | None) -> dict[str, Any]:
        began = NOW - timedelta(hours=1)
        end = {} if seconds is None else {"EndDateTime": began + timedelta(seconds=seconds)}
        return {"InstanceType": kind, "Status": {"Timeline": {"CreationDateTime": began, **end}}}

    found = account([node("m6i.xlarge", None), node("m6i.xlarge", 10), node("x9.huge", 3600)], NOW)
    assert found.usd == pytest.approx(0.24 + 0.24 / 60)
    assert found.unpriced == ("x9.huge",)
    prices = offline("us-east-1").prices
    assert most_usd(ClusterOptions(core_count=2, max_hours=2), prices) == pytest.approx(6 * 0.24)


def test_steps_behind_a_cancelled_one_go_with_it_only_if_emr_would_have_cancelled_them() -> None:
    steps = [
        Step("s-1", "a", "COMPLETED", "CANCEL_AND_WAIT"),
        Step("s-2", "b", "RUNNING", "CANCEL_AND_WAIT"),
        Step("s-3", "c", "PENDING", "CANCEL_AND_WAIT"),
        Step("s-4", "d", "PENDING", "CONTINUE"),
    ]
    assert dependents(steps, "s-2") == ["s-3"]
    assert dependents(steps, "s-unknown") == []


def test_polling_is_quick_at_first_and_never_late_by_more_than_its_share() -> None:
    assert interval(0) == FIRST_S
    assert interval(300) == pytest.approx(300 * SHARE)
    assert interval(1e6) == MOST_S


# ---- the code bundle


def test_the_same_sources_give_the_same_bytes(bundle: CodeBundle) -> None:
    """So that unchanged code is published once, and its id names it for ever."""
    assert build_bundle(REPO) == bundle
    assert build_bundle(REPO).ref == bundle.ref


def test_the_bundle_holds_the_package_and_nothing_built(bundle: CodeBundle) -> None:
    with zipfile.ZipFile(BytesIO(bundle.files["dermaflow_jobs.zip"])) as archive:
        listed = archive.namelist()
    assert "dermaflow_jobs/contract/run_spec.py" in listed
    assert not [name for name in listed if "__pycache__" in name or name.endswith(".pyc")]
    assert listed == list(package_files(REPO / "jobs"))


def test_other_code_has_another_id_in_the_same_environment(bundle: CodeBundle) -> None:
    """Only a changed lock builds a new environment on the nodes."""
    changed = CodeBundle(bundle.files | {"launch.py": b"print()"}).ref
    assert changed.code_id != bundle.ref.code_id
    assert changed.environment_id == bundle.ref.environment_id
    relocked = CodeBundle(bundle.files | {"uv.lock": b""}).ref
    assert relocked.environment_id != bundle.ref.environment_id


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"pyproject\.toml"):
        build_bundle(tmp_path)
