"""Clusters and steps over the wire, with plain commands in place of Spark."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError
from stand_in import BUCKET, PROFILE, job_flow, shell, state_of, step_state, wait_for, wait_for_step

Cluster = Callable[..., str]


def add(emr: Any, cluster_id: str, *steps: dict[str, Any]) -> list[str]:
    ids: list[str] = emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=list(steps))["StepIds"]
    return ids


def bootstrap(s3: Any, script: str, *args: str) -> list[dict[str, Any]]:
    s3.put_object(Bucket=BUCKET, Key=f"bootstrap-{hash(script)}.sh", Body=f"#!/bin/bash\n{script}\n".encode())
    action = {"Path": f"s3://{BUCKET}/bootstrap-{hash(script)}.sh", "Args": list(args)}
    return [{"Name": "try", "ScriptBootstrapAction": action}]


def processes_of(cluster_id: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            mine = process.environ().get("LOCAL_AWS_OWNER", "").startswith(cluster_id)
            if mine and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def test_a_failing_bootstrap_action_ends_the_cluster_and_leaves_its_stderr(emr: Any, s3: Any, cluster: Cluster) -> None:
    """BOOTSTRAP_FAILURE, the node named, and what the script said in the log."""
    cluster_id = cluster(BootstrapActions=bootstrap(s3, 'echo "no such wheel: $1" >&2; exit 3', "x"))
    ended = wait_for(emr, cluster_id, "TERMINATED_WITH_ERRORS")
    reason = ended["Status"]["StateChangeReason"]
    primary = emr.list_instances(ClusterId=cluster_id, InstanceGroupTypes=["MASTER"])["Instances"][0]["Ec2InstanceId"]
    assert reason["Code"] == "BOOTSTRAP_FAILURE"
    assert (
        reason["Message"] == f"On the master instance ({primary}), bootstrap action 1 returned a non-zero return code"
    )
    assert "ReadyDateTime" not in ended["Status"]["Timeline"]
    key = f"logs/{cluster_id}/node/{primary}/bootstrap-actions/1/stderr.gz"
    assert gzip.decompress(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) == b"no such wheel: x\n"


def test_a_bootstrap_script_that_is_not_there_is_named(emr: Any, cluster: Cluster) -> None:
    """It could not be downloaded: another reason than a script that failed."""
    missing = {"Name": "b", "ScriptBootstrapAction": {"Path": f"s3://{BUCKET}/none.sh"}}
    status = wait_for(emr, cluster(BootstrapActions=[missing]), "TERMINATED_WITH_ERRORS")["Status"]
    assert f"could not be downloaded from s3://{BUCKET}/none.sh" in status["StateChangeReason"]["Message"]
    assert status["ErrorDetails"][0]["ErrorCode"] == "BOOTSTRAP_FAILURE_BA_DOWNLOAD_FAILED_PRIMARY"


def test_ending_a_cluster_in_bootstrap_kills_the_script(emr: Any, s3: Any, cluster: Cluster) -> None:
    """TerminateJobFlows does not wait for a bootstrap action to end by itself."""
    cluster_id = cluster(BootstrapActions=bootstrap(s3, "sleep 300"))
    wait_for(emr, cluster_id, "BOOTSTRAPPING")
    while not processes_of(cluster_id):
        time.sleep(0.02)
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    assert wait_for(emr, cluster_id, "TERMINATED")["Status"]["StateChangeReason"]["Code"] == "USER_REQUEST"
    assert processes_of(cluster_id) == []


def test_a_failed_step_says_why_and_where_its_log_is(emr: Any, s3: Any, cluster: Cluster) -> None:
    """FailureDetails, and stderr below LogUri; the next step runs, as ActionOnFailure is CONTINUE."""
    cluster_id = cluster()
    failed, following = add(emr, cluster_id, shell("echo ValueError: bad pixel >&2; exit 4"), shell("echo fine"))
    status = wait_for_step(emr, cluster_id, failed, "FAILED")["Status"]
    log = f"s3://{BUCKET}/logs/{cluster_id}/steps/{failed}/stderr.gz"
    assert status["FailureDetails"] == {
        "Reason": "Unknown Error.",
        "Message": "ValueError: bad pixel",
        "LogFile": log,
    }
    stored = s3.get_object(Bucket=BUCKET, Key=log.removeprefix(f"s3://{BUCKET}/"))["Body"].read()
    assert gzip.decompress(stored) == b"ValueError: bad pixel\n"
    done = wait_for_step(emr, cluster_id, following, "COMPLETED")["Status"]
    assert done["Timeline"]["CreationDateTime"] <= done["Timeline"]["StartDateTime"] <= done["Timeline"]["EndDateTime"]
    assert wait_for(emr, cluster_id, "WAITING")["Status"]["StateChangeReason"]["Message"].startswith("Cluster ready")


def test_a_command_that_does_not_exist_fails_its_step(emr: Any, cluster: Cluster) -> None:
    """As does a jar that is not simulated, which is named."""
    cluster_id = cluster()
    nothing = {"Jar": "command-runner.jar", "Args": ["no-such-program"]}
    a_jar = {"Jar": "s3://bucket/my.jar", "Args": []}
    first, second = add(
        emr, cluster_id, *(shell("", HadoopJarStep=each, ActionOnFailure="CONTINUE") for each in (nothing, a_jar))
    )
    assert "no-such-program" in wait_for_step(emr, cluster_id, first, "FAILED")["Status"]["FailureDetails"]["Message"]
    assert "my.jar" in wait_for_step(emr, cluster_id, second, "FAILED")["Status"]["FailureDetails"]["Message"]


def test_terminate_cluster_on_failure_ends_it_with_errors_and_cancels_the_rest(emr: Any, cluster: Cluster) -> None:
    """STEP_FAILURE."""
    steps = [shell("exit 1", ActionOnFailure="TERMINATE_CLUSTER"), shell("true")]
    cluster_id = cluster(Steps=steps)
    ended = wait_for(emr, cluster_id, "TERMINATED_WITH_ERRORS")
    assert ended["Status"]["StateChangeReason"] == {"Code": "STEP_FAILURE", "Message": "Shut down as step failed"}
    assert [each["Status"]["State"] for each in emr.list_steps(ClusterId=cluster_id)["Steps"]] == [
        "CANCELLED",
        "FAILED",
    ]


def test_a_cluster_that_is_not_kept_ends_after_its_last_step(emr: Any, cluster: Cluster) -> None:
    """KeepJobFlowAliveWhenNoSteps false; afterwards it takes no steps and lists its instances as terminated."""
    cluster_id = cluster(Instances={"KeepJobFlowAliveWhenNoSteps": False}, Steps=[shell("true")])
    ended = wait_for(emr, cluster_id, "TERMINATED")
    assert ended["Status"]["StateChangeReason"]["Code"] == "ALL_STEPS_COMPLETED"
    assert ended["AutoTerminate"] is True
    with pytest.raises(ClientError, match="shutting down, terminated, or finished"):
        add(emr, cluster_id, shell("true"))
    instances = emr.list_instances(ClusterId=cluster_id)["Instances"]
    assert {each["Status"]["State"] for each in instances} == {"TERMINATED"}
    assert all(each["Status"]["Timeline"]["ReadyDateTime"] for each in instances)


def test_steps_side_by_side_and_cancelled_in_two_ways(emr: Any, cluster: Cluster) -> None:
    """StepConcurrencyLevel 2: two run, the third waits. One heeds the signal, one must be killed, one never ran."""
    cluster_id = cluster(StepConcurrencyLevel=2)
    polite, stubborn, pending = add(
        emr, cluster_id, shell("sleep 300"), shell("trap '' TERM; sleep 300 & wait; sleep 300"), shell("true")
    )
    for each in (polite, stubborn):
        wait_for_step(emr, cluster_id, each, "RUNNING")
    assert step_state(emr, cluster_id, pending) == "PENDING"
    while len(processes_of(cluster_id)) < 3:
        time.sleep(0.02)
    first = emr.cancel_steps(ClusterId=cluster_id, StepIds=[pending, polite])["CancelStepsInfoList"]
    assert [each["Status"] for each in first] == ["SUBMITTED", "SUBMITTED"]
    emr.cancel_steps(ClusterId=cluster_id, StepIds=[stubborn], StepCancellationOption="TERMINATE_PROCESS")
    for each in (polite, stubborn, pending):
        wait_for_step(emr, cluster_id, each, "CANCELLED")
    assert processes_of(cluster_id) == []
    again = emr.cancel_steps(ClusterId=cluster_id, StepIds=[polite, "s-NONE"])["CancelStepsInfoList"]
    assert [each["Status"] for each in again] == ["FAILED", "FAILED"]
    assert "in state CANCELLED" in again[0]["Reason"]
    assert emr.modify_cluster(ClusterId=cluster_id, StepConcurrencyLevel=1)["StepConcurrencyLevel"] == 1


def test_termination_protection_refuses_until_it_is_lifted_and_then_the_whole_tree_dies(
    emr: Any, cluster: Cluster
) -> None:
    """A grandchild in a session of its own dies too."""
    cluster_id = cluster(Instances={"TerminationProtected": True})
    (step_id,) = add(emr, cluster_id, shell("setsid sleep 300 & sleep 300"))
    while len(processes_of(cluster_id)) < 3:
        time.sleep(0.02)
    with pytest.raises(ClientError, match="termination protected") as refused:
        emr.terminate_job_flows(JobFlowIds=[cluster_id])
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    emr.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=False)
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    wait_for(emr, cluster_id, "TERMINATED")
    assert step_state(emr, cluster_id, step_id) == "INTERRUPTED"
    assert processes_of(cluster_id) == []


def test_what_a_step_starts_and_leaves_behind_ends_with_the_step(emr: Any, cluster: Cluster) -> None:
    """A background process does not outlive its step."""
    cluster_id = cluster()
    (step_id,) = add(emr, cluster_id, shell("setsid sleep 300 & true"))
    wait_for_step(emr, cluster_id, step_id, "COMPLETED")
    assert processes_of(cluster_id) == []


def test_the_environment_of_a_step_is_made_from_nothing(emr: Any, s3: Any, cluster: Cluster) -> None:
    """PYTHONPATH and VIRTUAL_ENV of the stand-in do not reach a node; python3.11 is bare; spark-submit is there."""
    cluster_id = cluster()
    script = (
        "env; python3.11 -c 'import sys; print(sys.path)'; python3.11 -m pip --version || echo no-pip;"
        " python3 -m pip --version; python3 -c 'import boto3' || echo no-boto3; command -v spark-submit aws"
    )
    (step_id,) = add(emr, cluster_id, shell(script))
    wait_for_step(emr, cluster_id, step_id, "COMPLETED")
    key = f"logs/{cluster_id}/steps/{step_id}/stdout.gz"
    seen = gzip.decompress(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()).decode().splitlines()
    names = {line.partition("=")[0] for line in seen}
    assert not names & {"PYTHONPATH", "VIRTUAL_ENV", "AIRFLOW_HOME"}
    assert {"AWS_ENDPOINT_URL", "AWS_REGION", "JAVA_HOME", "SPARK_HOME", "UV_CACHE_DIR"} <= names
    assert {"no-pip", "no-boto3"} <= set(seen)
    assert any(line.startswith("pip ") for line in seen)
    assert sum(line.endswith(("/spark-submit", "/aws")) for line in seen) == 2


def test_an_auto_termination_policy_is_put_read_and_removed(emr: Any, cluster: Cluster) -> None:
    """60 to 604,800 seconds. What the policy does: `test_emr_driver.py`."""
    cluster_id = cluster(AutoTerminationPolicy={"IdleTimeout": 60})
    policy = emr.get_auto_termination_policy(ClusterId=cluster_id)["AutoTerminationPolicy"]
    assert policy == {"IdleTimeout": 60}
    with pytest.raises(ClientError, match="between 60 and 604800"):
        emr.put_auto_termination_policy(ClusterId=cluster_id, AutoTerminationPolicy={"IdleTimeout": 59})
    emr.put_auto_termination_policy(ClusterId=cluster_id, AutoTerminationPolicy={"IdleTimeout": 120})
    assert emr.get_auto_termination_policy(ClusterId=cluster_id)["AutoTerminationPolicy"] == {"IdleTimeout": 120}
    emr.remove_auto_termination_policy(ClusterId=cluster_id)
    assert "AutoTerminationPolicy" not in emr.get_auto_termination_policy(ClusterId=cluster_id)


def test_a_role_or_profile_that_iam_does_not_know_is_refused(emr: Any) -> None:
    """Before a cluster exists."""
    for change, message in (
        ({"ServiceRole": "Nobody"}, "Nobody is invalid"),
        ({"JobFlowRole": "Nothing"}, "Invalid InstanceProfile: Nothing"),
    ):
        with pytest.raises(ClientError, match=message) as refused:
            emr.run_job_flow(**job_flow(**change))
        assert refused.value.response["Error"]["Code"] == "ValidationException"
    arn = f"arn:aws:iam::123456789012:instance-profile/{PROFILE}"
    emr.terminate_job_flows(JobFlowIds=[emr.run_job_flow(**job_flow(JobFlowRole=arn))["JobFlowId"]])


def test_a_cluster_ended_before_it_started_is_terminated(emr: Any, cluster: Cluster) -> None:
    """At once, whatever state it was in."""
    cluster_id = cluster()
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    assert state_of(emr, cluster_id) in {"TERMINATING", "TERMINATED"}
    wait_for(emr, cluster_id, "TERMINATED")
