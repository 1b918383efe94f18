"""RunJobFlow's request for a run: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dermaflow.emr import names
from dermaflow_jobs.contract.options import ClusterOptions
from dermaflow_jobs.contract.run_spec import RunSpec
from dermaflow_jobs.contract.s3_layout import Layout

JobFlow = dict[str, Any]
ROOT_VOLUME_GB: Final = 32
"""The environment takes 2 GB, EMR's applications most of the default 15."""


def training_job_flow(spec: RunSpec) -> JobFlow:
    """The cluster that a run rents, without the name and tags that mark it as the run's."""
    layout, cluster = Layout.of(spec.root), spec.options.cluster
    return {
        "LogUri": layout.uri(layout.logs_prefix()),
        "ReleaseLabel": cluster.release_label,
        "Applications": [{"Name": "Spark"}],
        "Instances": instances(cluster),
        "BootstrapActions": [bootstrap_action(spec)],
        "Configurations": [spark_defaults(spec)],
        "VisibleToAllUsers": True,
        "JobFlowRole": cluster.instance_profile,
        "ServiceRole": cluster.service_role,
        "StepConcurrencyLevel": 1,
        "EbsRootVolumeSize": ROOT_VOLUME_GB,
        "AutoTerminationPolicy": {"IdleTimeout": cluster.idle_minutes * 60},
    }


@dataclass(frozen=True)
class Owner:
    """The run that a cluster belongs to."""

    deployment: str
    run_key: str
    dag_id: str
    run_id: str


def marked(job_flow: JobFlow, owner: Owner, deadline: datetime) -> JobFlow:
    """The request with the run's name and tags; the tags it already has are kept."""
    own = {
        names.TAG_DEPLOYMENT: owner.deployment,
        names.TAG_RUN_KEY: owner.run_key,
        names.TAG_DAG_ID: owner.dag_id,
        names.TAG_RUN_ID: names.quoted(owner.run_id),
        names.TAG_DEADLINE: names.deadline_text(deadline),
        names.TAG_REQUEST: names.digest(job_flow),
    }
    tags = {tag["Key"]: tag["Value"] for tag in job_flow.get("Tags", ())} | own
    return {
        **job_flow,
        "Name": names.cluster_name(owner.run_key),
        "Tags": [{"Key": key, "Value": names.tag_value(value)} for key, value in tags.items()],
    }


def instances(cluster: ClusterOptions) -> dict[str, Any]:
    def group(name: str, role: str, instance_type: str, count: int) -> dict[str, Any]:
        return {
            "Name": name,
            "Market": "ON_DEMAND",
            "InstanceRole": role,
            "InstanceType": instance_type,
            "InstanceCount": count,
        }

    subnet = {"Ec2SubnetId": cluster.subnet_id} if cluster.subnet_id else {}
    return {
        "InstanceGroups": [
            group("primary", "MASTER", cluster.primary_type, 1),
            group("core", "CORE", cluster.core_type, cluster.core_count),
        ],
        "KeepJobFlowAliveWhenNoSteps": True,
        "TerminationProtected": False,
        **subnet,
    }


def bootstrap_action(spec: RunSpec) -> dict[str, Any]:
    """Builds the environment on every node, before EMR installs Spark."""
    layout, root = Layout.of(spec.root), spec.options.cluster.environment_root
    bundle = layout.uri(layout.code_prefix(spec.code.code_id))
    args = ["--bundle", bundle, "--venv", spec.code.venv_dir(root), "--code", spec.code.code_dir(root)]
    return {
        "Name": "dermaflow environment",
        "ScriptBootstrapAction": {"Path": f"{bundle}bootstrap.sh", "Args": args},
    }


def spark_defaults(spec: RunSpec) -> dict[str, Any]:
    """So that a shell on the cluster meets the same Python as our steps, which also say it themselves."""
    return {"Classification": "spark-defaults", "Properties": python_conf(spec)}


def python_conf(spec: RunSpec) -> dict[str, str]:
    """Names the environment's own Python on the driver and on the executors."""
    root = spec.options.cluster.environment_root
    python = f"{spec.code.venv_dir(root)}/bin/python"
    return {
        "spark.pyspark.python": python,
        "spark.pyspark.driver.python": python,
        "spark.executorEnv.PYTHONPATH": spec.code.code_dir(root),
    }
