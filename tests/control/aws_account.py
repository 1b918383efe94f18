"""The stand-in as an account of the tests: started as a process, spoken to over HTTP."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3

REPO = Path(__file__).resolve().parents[2]
REGION, ACCESS_KEY, SECRET = "us-east-1", "AKIACONTROL", "secret"
ROLE, PROFILE, BUCKET = "DermaflowEmrService", "DermaflowEmrNode", "dermaflow"
OVER = {"TERMINATED", "TERMINATED_WITH_ERRORS"}
PAID = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING"]


@dataclass
class Account:
    process: subprocess.Popen[bytes]
    endpoint: str

    @classmethod
    def start(cls, state: Path) -> Account:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "local_aws", "--port", str(port), "--state", str(state)]
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(REPO / "infra")})
        account = cls(process, f"http://127.0.0.1:{port}")
        account._wait()
        account._found()
        return account

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(120)

    @property
    def connection(self) -> str:
        extra = {"region_name": REGION, "endpoint_url": self.endpoint}
        return json.dumps({"conn_type": "aws", "login": ACCESS_KEY, "password": SECRET, "extra": extra})

    def client(self, service: str, region: str = REGION) -> Any:
        keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET}
        return boto3.client(service, endpoint_url=self.endpoint, region_name=region, **keys)

    @cached_property
    def s3(self) -> Any:
        return self.client("s3")

    @cached_property
    def emr(self) -> Any:
        return self.client("emr")

    def new_bucket(self, name: str) -> str:
        bucket = re.sub(r"[^a-z0-9]+", "-", name.lower())[:55].strip("-") + "-b"
        self.s3.create_bucket(Bucket=bucket)
        return bucket

    def clusters(self, name: str, states: list[str] | None = None) -> list[dict[str, Any]]:
        pages = self.emr.get_paginator("list_clusters").paginate(**({"ClusterStates": states} if states else {}))
        return [cluster for page in pages for cluster in page["Clusters"] if cluster["Name"] == name]

    def calls(self, operation: str) -> int:
        """How often the account was asked for this, such as `ElasticMapReduce.RunJobFlow`."""
        with urllib.request.urlopen(f"{self.endpoint}/_local_aws/calls") as answer:
            return int(json.load(answer)["calls"].get(operation, 0))

    def cluster_state(self, cluster_id: str) -> str:
        return str(self.emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"])

    def wait_for(self, cluster_id: str, states: set[str], seconds: float = 120) -> str:
        return _until(lambda: self.cluster_state(cluster_id), states, seconds)

    def step_state(self, cluster_id: str, step_id: str) -> str:
        return str(self.emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]["Status"]["State"])

    def wait_for_step(self, cluster_id: str, step_id: str, states: set[str], seconds: float = 120) -> str:
        return _until(lambda: self.step_state(cluster_id, step_id), states, seconds)

    def end_clusters(self, name: str) -> None:
        ids = [cluster["Id"] for cluster in self.clusters(name, PAID)]
        if ids:
            self.emr.set_termination_protection(JobFlowIds=ids, TerminationProtected=False)
            self.emr.terminate_job_flows(JobFlowIds=ids)
        for cluster_id in ids:
            self.wait_for(cluster_id, OVER)

    def _wait(self) -> None:
        end = time.monotonic() + 120
        while time.monotonic() < end and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.endpoint}/_local_aws/health")
                return
            except OSError:
                time.sleep(0.05)
        raise TimeoutError("the stand-in did not start")

    def _found(self) -> None:
        iam = self.client("iam")
        for role in (ROLE, PROFILE):
            iam.create_role(RoleName=role, AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}')
        iam.create_instance_profile(InstanceProfileName=PROFILE)
        iam.add_role_to_instance_profile(InstanceProfileName=PROFILE, RoleName=PROFILE)
        self.s3.create_bucket(Bucket=BUCKET)


def _until(look: Any, states: set[str], seconds: float) -> str:
    end = time.monotonic() + seconds
    while (state := look()) not in states:
        if time.monotonic() > end:
            raise TimeoutError(f"it is {state}, waited for {states}")
        time.sleep(0.05)
    return str(state)
