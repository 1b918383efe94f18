"""RunJobFlow's request for a run: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dermaflow.emr import names, yarn
from dermaflow.emr.fleets import has_gpus, instances
from dermaflow.emr.scaling import scaling
from dermaflow.emr.sizing import side_by_side
from dermaflow_jobs.contract.options import ClusterOptions
from dermaflow_jobs.contract.run_spec import RunSpec
from dermaflow_jobs.contract.s3_layout import Layout

JobFlow = dict[str, Any]
ROOT_VOLUME_GB: Final = 32
"""The environment takes 2 GB, EMR's applications most of the default 15."""
GPU_ROOT_VOLUME_GB: Final = 64
"""CUDA's libraries are 5 GB more, and their wheels as much again while they are installed."""
TAG_FOR_EMR: Final = {"Key": "for-use-with-amazon-emr-managed-policies", "Value": "true"}
"""EMR's service role (AmazonEMRServicePolicy_v2) may touch only what has it; EMR hands it on to the instances."""


def training_job_flow(spec: RunSpec) -> JobFlow:
    """The cluster that a run rents, without the name and tags that mark it as the run's."""
    layout, cluster = Layout.of(spec.root), spec.options.cluster
    return {
        "LogUri": layout.uri(layout.logs_prefix()),
        "ReleaseLabel": cluster.release_label,
        "Applications": [{"Name": "Spark"}],
        "Instances": instances(cluster),
        "BootstrapActions": [bootstrap_action(spec)],
        "Configurations": [spark_defaults(spec), *yarn.classifications(cluster)],
        "VisibleToAllUsers": True,
        "JobFlowRole": cluster.instance_profile,
        "ServiceRole": cluster.service_role,
        "StepConcurrencyLevel": side_by_side(spec.options),
        "EbsRootVolumeSize": GPU_ROOT_VOLUME_GB if has_gpus(cluster) else ROOT_VOLUME_GB,
        "Tags": [TAG_FOR_EMR],
        **scaling(cluster),
        **_encryption(cluster),
    }


def _encryption(cluster: ClusterOptions) -> dict[str, str]:
    named = {"SecurityConfiguration": cluster.security_configuration, "LogEncryptionKmsKeyId": cluster.log_key_arn}
    return {name: value for name, value in named.items() if value}


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


def bootstrap_action(spec: RunSpec) -> dict[str, Any]:
    """Builds the environment on every node, or unpacks a published one, before EMR installs Spark."""
    layout, cluster = Layout.of(spec.root), spec.options.cluster
    bundle = layout.uri(layout.code_prefix(spec.code.code_id))
    args = ["--bundle", bundle, "--venv", venv_dir(spec), "--code", spec.code.code_dir(cluster.environment_root)]
    if cluster.environment_archive:
        args += ["--archives", layout.uri(layout.environments_prefix())]
    if has_gpus(cluster):
        args += ["--build", "gpu"]
    return {
        "Name": "dermaflow environment",
        "ScriptBootstrapAction": {"Path": f"{bundle}bootstrap.sh", "Args": args},
    }


def venv_dir(spec: RunSpec) -> str:
    """Where the nodes have their Python: named by its lock, and by the build of TensorFlow where that is CUDA's."""
    cluster = spec.options.cluster
    return spec.code.venv_dir(cluster.environment_root) + ("-gpu" if has_gpus(cluster) else "")


def spark_defaults(spec: RunSpec) -> dict[str, Any]:
    """So that a shell on the cluster meets the same Python as our steps, which also say it themselves."""
    return {"Classification": "spark-defaults", "Properties": python_conf(spec)}


def python_conf(spec: RunSpec) -> dict[str, str]:
    """Names the environment's own Python on the driver and on the executors."""
    python = f"{venv_dir(spec)}/bin/python"
    return {
        "spark.pyspark.python": python,
        "spark.pyspark.driver.python": python,
        "spark.executorEnv.PYTHONPATH": spec.code.code_dir(spec.options.cluster.environment_root),
    }
