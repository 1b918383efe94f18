"""A whole life of a cluster: bootstrap action, a real Spark job on executors, logs, end."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

from stand_in import BUCKET, wait_for, wait_for_step

BOOTSTRAP = b"""#!/bin/bash
set -eu
echo "arguments: $*"
command -v spark-submit && exit 9
aws s3 cp "$1" "$HOME/greeting"
cat "$HOME/greeting" >&2
"""

JOB = b"""
import importlib.util, json, os, sys
from pyspark import SparkContext

def absent(_):
    return importlib.util.find_spec("tensorflow") is None

spark = SparkContext()
on_executors = spark.parallelize(range(8), 8).map(absent).collect()
hosts = spark._jsc.sc().getExecutorMemoryStatus().size() - 1
print(json.dumps({
    "tensorflow_absent": absent(0) and all(on_executors),
    "executors": hosts,
    "master": spark.master,
    "leaked": [name for name in ("VIRTUAL_ENV", "AIRFLOW_HOME") if name in os.environ],
    "path": sys.path,
}))
"""


def log_of(s3: Any, key: str) -> str:
    return gzip.decompress(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()).decode()


def test_a_cluster_bootstraps_runs_spark_on_executors_and_leaves_its_logs(
    emr: Any, s3: Any, cluster: Callable[..., str]
) -> None:
    """Bootstrap on every node, a Spark job whose tasks run in executors, gzipped logs, both nodes given back."""
    s3.put_object(Bucket=BUCKET, Key="boot.sh", Body=BOOTSTRAP)
    s3.put_object(Bucket=BUCKET, Key="greeting", Body=b"hello")
    s3.put_object(Bucket=BUCKET, Key="job.py", Body=JOB)
    action = {"Path": f"s3://{BUCKET}/boot.sh", "Args": [f"s3://{BUCKET}/greeting"]}
    cluster_id = cluster(BootstrapActions=[{"Name": "hello", "ScriptBootstrapAction": action}])
    wait_for(emr, cluster_id, "WAITING")
    submit = f"aws s3 cp s3://{BUCKET}/job.py job.py && exec spark-submit job.py"
    step = {"Jar": "command-runner.jar", "Args": ["bash", "-c", submit]}
    (step_id,) = emr.add_job_flow_steps(
        JobFlowId=cluster_id, Steps=[{"Name": "look", "ActionOnFailure": "CONTINUE", "HadoopJarStep": step}]
    )["StepIds"]
    done = wait_for_step(emr, cluster_id, step_id, "COMPLETED", "FAILED")
    prefix = f"logs/{cluster_id}/steps/{step_id}"
    assert done["Status"]["State"] == "COMPLETED", log_of(s3, f"{prefix}/stderr.gz")
    seen = json.loads(log_of(s3, f"{prefix}/stdout.gz").splitlines()[-1])
    assert seen["tensorflow_absent"]
    assert seen["master"] == "local-cluster[1,4,16384]"
    assert seen["executors"] == 1
    assert seen["leaked"] == []
    assert not [entry for entry in seen["path"] if entry.endswith("site-packages") and "image" not in entry]
    nodes = emr.list_instances(ClusterId=cluster_id)["Instances"]
    assert len(nodes) == 2
    for node in nodes:
        folder = f"logs/{cluster_id}/node/{node['Ec2InstanceId']}/bootstrap-actions/1"
        assert "arguments: s3://" in log_of(s3, f"{folder}/stdout.gz")
        assert log_of(s3, f"{folder}/stderr.gz") == "hello"
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    ended = wait_for(emr, cluster_id, "TERMINATED")
    assert ended["Status"]["StateChangeReason"]["Code"] == "USER_REQUEST"
    nodes = emr.list_instances(ClusterId=cluster_id)["Instances"]
    assert all(node["Status"]["Timeline"]["EndDateTime"] for node in nodes)
