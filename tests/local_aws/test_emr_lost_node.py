"""A node that is lost while a job runs costs the tasks on it a second try, and the run nothing."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from stand_in import BUCKET, wait_for, wait_for_step

JOB = b"""
import json, os, sys, time
from pyspark import SparkContext, TaskContext

def work(partition, _):
    attempt = TaskContext.get().attemptNumber()
    open(os.path.join(folder, f"{partition}-{attempt}"), "w").close()
    time.sleep(3 if attempt == 0 else 0)
    yield partition, attempt

folder = sys.argv[1]
spark = SparkContext()
done = spark.parallelize(range(8), 8).mapPartitionsWithIndex(work).collect()
print(json.dumps(dict(done)))
"""


def executors_of(cluster_id: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("LOCAL_AWS_OWNER", "").startswith(cluster_id)
            if ours and any("CoarseGrainedExecutorBackend" in part for part in process.cmdline()):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def test_a_lost_core_or_spot_node_costs_a_retry_of_its_tasks(
    emr: Any, s3: Any, cluster: Callable[..., str], tmp_path: Path
) -> None:
    """Eight tasks on a core and a spot node; one node's executor is killed -9 while they run. Its four run again on
    what Spark has then, the others' results stay, the step succeeds, and the log says what was lost."""
    fleet = {"InstanceTypeConfigs": [{"InstanceType": "m6i.xlarge"}]}
    fleets = [
        {"InstanceFleetType": "MASTER", "TargetOnDemandCapacity": 1, **fleet},
        {"InstanceFleetType": "CORE", "TargetOnDemandCapacity": 1, **fleet},
        {"InstanceFleetType": "TASK", "TargetSpotCapacity": 1, **fleet},
    ]
    cluster_id = cluster(Instances={"InstanceFleets": fleets})
    s3.put_object(Bucket=BUCKET, Key="lost.py", Body=JOB)
    wait_for(emr, cluster_id, "WAITING")
    submit = f"aws s3 cp s3://{BUCKET}/lost.py lost.py && exec spark-submit --executor-memory 512m lost.py {tmp_path}"
    step = {"Jar": "command-runner.jar", "Args": ["bash", "-c", submit]}
    (step_id,) = emr.add_job_flow_steps(
        JobFlowId=cluster_id, Steps=[{"Name": "lose", "ActionOnFailure": "CONTINUE", "HadoopJarStep": step}]
    )["StepIds"]
    deadline = time.monotonic() + 90
    while len(list(tmp_path.iterdir())) < 8 and time.monotonic() < deadline:
        time.sleep(0.05)
    victim, other = executors_of(cluster_id)
    victim.kill()
    done = wait_for_step(emr, cluster_id, step_id, "COMPLETED", "FAILED")
    log = {name: read(s3, f"logs/{cluster_id}/steps/{step_id}/{name}.gz") for name in ("stdout", "stderr")}
    assert done["Status"]["State"] == "COMPLETED", log["stderr"][-3000:]
    attempts = json.loads(log["stdout"].splitlines()[-1])
    assert sorted(attempts.values()) == [0, 0, 0, 0, 1, 1, 1, 1]
    assert "Lost executor" in log["stderr"]
    assert other.pid != victim.pid


def read(s3: Any, key: str) -> str:
    return gzip.decompress(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()).decode()
