"""Small requests and operators for the tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_account import BUCKET, PROFILE, ROLE

from dermaflow.operators.create_cluster import CreateClusterOperator
from dermaflow.operators.spark_step import SparkStepOperator


def job_flow(**changes: Any) -> dict[str, Any]:
    return {
        "ReleaseLabel": "emr-7.14.0",
        "LogUri": f"s3://{BUCKET}/logs/",
        "Applications": [{"Name": "Spark"}],
        "Instances": {
            "InstanceGroups": [{"InstanceRole": "MASTER", "InstanceType": "m6i.xlarge", "InstanceCount": 1}],
            "KeepJobFlowAliveWhenNoSteps": True,
        },
        "ServiceRole": ROLE,
        "JobFlowRole": PROFILE,
        **changes,
    }


def create(aws_conn_id: str = "aws_default", **changes: Any) -> CreateClusterOperator:
    return CreateClusterOperator(task_id="create", job_flow=job_flow(**changes), aws_conn_id=aws_conn_id)


class ShellStep(SparkStepOperator):
    """A step that runs a line of bash instead of Spark: quicker, and EMR knows no difference."""

    template_fields: Sequence[str] = (*SparkStepOperator.template_fields, "script")

    def __init__(self, *, script: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.script = script

    def command(self) -> list[str]:
        return ["bash", "-c", self.script]
