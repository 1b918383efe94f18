"""Create, wait, run a step, end: the operators against an EMR that executes."""

from __future__ import annotations

import pytest
from aws_account import BUCKET, OVER, Account
from emr_requests import ShellStep, create
from fake_run import FakeRun

from dermaflow.errors import ClusterFailed, StepFailed
from dermaflow.operators.terminate_cluster import TerminateClusterOperator
from dermaflow.operators.wait_for_cluster import WaitForClusterOperator


def test_a_cluster_is_created_runs_a_step_and_is_given_back(clean: Account, run: FakeRun) -> None:
    """The whole life; afterwards EMR says TERMINATED, and a second teardown finds nothing to do."""
    cluster_id = run.execute(create())
    assert run.complete(WaitForClusterOperator(task_id="ready", cluster_id=cluster_id)) == cluster_id
    run.complete(ShellStep(task_id="step", cluster_id=cluster_id, script="echo done"))
    terminate = TerminateClusterOperator(task_id="terminate")
    run.complete(terminate)
    assert clean.cluster_state(cluster_id) in OVER
    assert run.complete(terminate) == []


def test_a_failed_step_shows_the_end_of_its_stderr(clean: Account, run: FakeRun) -> None:
    """Name and id of the step, EMR's reason, the last lines of stderr and where the log is."""
    cluster_id = run.execute(create())
    with pytest.raises(StepFailed) as failure:
        run.complete(ShellStep(task_id="bad", cluster_id=cluster_id, script="seq 100; echo lens cap on >&2; exit 3"))
    message = str(failure.value)
    assert "'bad [" in message
    assert "lens cap on" in message
    assert f"s3://{BUCKET}/logs/{cluster_id}/steps/s-" in message
    assert "What to do:" in message


def test_a_failed_bootstrap_shows_its_stderr_and_node(clean: Account, run: FakeRun) -> None:
    clean.s3.put_object(Bucket=BUCKET, Key="boot/fails.sh", Body=b"#!/bin/bash\necho no space left >&2\nexit 4\n")
    action = {"Name": "fails", "ScriptBootstrapAction": {"Path": f"s3://{BUCKET}/boot/fails.sh"}}
    cluster_id = run.execute(create(BootstrapActions=[action]))
    with pytest.raises(ClusterFailed) as failure:
        run.complete(WaitForClusterOperator(task_id="ready", cluster_id=cluster_id))
    assert "no space left" in str(failure.value)
    assert "on node i-" in str(failure.value)
