"""A stand-in in a process of its own, requests for it, and ways to wait."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3

REPO = Path(__file__).resolve().parents[2]
ROLE, PROFILE, BUCKET = "EmrService", "EmrNode", "stand-in-tests"


class StandIn:
    """A running `python -m local_aws`."""

    def __init__(self, state: Path, *options: str) -> None:
        self.state = state
        self.options = options
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def start(self) -> StandIn:
        command = [sys.executable, "-m", "local_aws", "--port", str(self.port), "--state", str(self.state)]
        # A package from elsewhere on the path, as a developer's shell might have it: nodes must not see it.
        environment = {**os.environ, "PYTHONPATH": f"{REPO / 'infra'}:{self.state}", "VIRTUAL_ENV": "/nowhere"}
        self.process = subprocess.Popen([*command, *self.options], env=environment)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.endpoint}/_local_aws/health")
                return self
            except OSError:
                time.sleep(0.05)
        raise TimeoutError("the stand-in did not start")

    def stop(self, signum: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(signum)
        self.process.wait(10)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="AKIATEST",
            aws_secret_access_key="test",
        )


def make_account(stand_in: StandIn) -> None:
    """Bucket, service role and instance profile, as a user of the stand-in makes them."""
    iam = stand_in.client("iam")
    for role in (ROLE, PROFILE):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}')
    iam.create_instance_profile(InstanceProfileName=PROFILE)
    iam.add_role_to_instance_profile(InstanceProfileName=PROFILE, RoleName=PROFILE)
    stand_in.client("s3").create_bucket(Bucket=BUCKET)


def job_flow(**changes: Any) -> dict[str, Any]:
    """A RunJobFlow request of one primary and one core node; `Instances` is merged, the rest replaced."""
    groups = [
        {"InstanceRole": "MASTER", "InstanceType": "m6i.xlarge", "InstanceCount": 1},
        {"InstanceRole": "CORE", "InstanceType": "m6i.xlarge", "InstanceCount": 1},
    ]
    hardware: dict[str, Any] = {"KeepJobFlowAliveWhenNoSteps": True}
    if "InstanceFleets" not in changes.get("Instances", {}):
        hardware["InstanceGroups"] = groups
    return {
        "Name": "test",
        "ReleaseLabel": "emr-7.14.0",
        "LogUri": f"s3://{BUCKET}/logs/",
        "ServiceRole": ROLE,
        "JobFlowRole": PROFILE,
        "Applications": [{"Name": "Spark"}],
        **changes,
        "Instances": {**hardware, **changes.get("Instances", {})},
    }


def shell(script: str, **changes: Any) -> dict[str, Any]:
    """A step that runs a line of bash."""
    return {
        "Name": "shell",
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["bash", "-c", script]},
        **changes,
    }


def state_of(emr: Any, cluster_id: str) -> str:
    return str(emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"])


def step_state(emr: Any, cluster_id: str, step_id: str) -> str:
    return str(emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]["Status"]["State"])


def wait_for(emr: Any, cluster_id: str, *states: str, seconds: float = 60) -> dict[str, Any]:
    """The cluster once it is in one of the states."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found: dict[str, Any] = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
        if found["Status"]["State"] in states:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"{cluster_id} is {found['Status']}, waited for {states}")


def wait_for_step(emr: Any, cluster_id: str, step_id: str, *states: str, seconds: float = 90) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found: dict[str, Any] = emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]
        if found["Status"]["State"] in states:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"{step_id} is {found['Status']}, waited for {states}")
