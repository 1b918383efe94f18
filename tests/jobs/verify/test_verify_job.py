from datetime import UTC, datetime

import pytest

from dermaflow_jobs.contract.run_spec import CodeRef, RunIdentity, RunOptions, RunSpec
from dermaflow_jobs.contract.steps import VerifyReport
from dermaflow_jobs.runtime.s3 import Store
from dermaflow_jobs.runtime.step import run_step
from dermaflow_jobs.verify.job import verify


@pytest.mark.usefixtures("local_spark")
def test_driver_and_executors_are_reported_with_their_versions(empty_store: Store) -> None:
    """One finding for the driver and one per executor host, of the same interpreter and versions."""
    now = datetime(2026, 6, 1, tzinfo=UTC)
    spec = RunSpec(
        root=f"s3://{empty_store.layout.bucket}/dermaflow",
        code=CodeRef(code_id="0" * 64, environment_id="0" * 64),
        identity=RunIdentity(run_key="r1", dag_id="d", run_id="r", logical_date=now, data_until=now),
        options=RunOptions(),
    )
    key = empty_store.layout.run_spec("r1")
    empty_store.put(key, spec)
    run_step("verify", verify, ["--run-spec", empty_store.layout.uri(key)])
    report = empty_store.get(empty_store.layout.step_report("r1", "verify"), VerifyReport)
    assert [process.role for process in report.processes] == ["driver", "executor"]
    driver, executor = report.processes
    assert executor.versions == driver.versions
    assert {"tensorflow", "numpy", "boto3"} <= executor.versions.keys()
