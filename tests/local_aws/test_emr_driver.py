"""The thread of a cluster, without a server around it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from stand_in import job_flow, shell

from local_aws.emr.driver import ClusterDriver, Host
from local_aws.emr.environment import Image
from local_aws.emr.records import ClusterRecord
from local_aws.emr.requests import Caller, cluster_of, steps_of
from local_aws.emr.steps import NotRunnableError, command_of, what_went_wrong
from local_aws.emr.store import ClusterStore, now
from local_aws.settings import Latencies, Settings


def live(tmp_path: Path, image: Path, latencies: Latencies, request: dict[str, Any], **fields: Any) -> ClusterRecord:
    """The record of a cluster after its whole life."""
    settings = Settings(port=9, state_dir=tmp_path, latencies=latencies)
    host = Host(settings, ClusterStore(tmp_path / "clusters"), Image(image))
    cluster = cluster_of(request, Caller("123456789012", "us-east-1"), now()).model_copy(
        update={"log_uri": None, **fields}
    )
    host.store.add(cluster)
    ClusterDriver(cluster, host).start()
    return host.store.wait(cluster.id, lambda each: each.ended, 30)


def test_an_idle_cluster_ends_by_itself(tmp_path: Path, image: Path) -> None:
    """One second after its last step, here; steps put it off."""
    began = time.monotonic()
    ended = live(tmp_path, image, Latencies(), job_flow(Steps=[shell("sleep 0.5")]), idle_timeout=1)
    assert ended.state == "TERMINATED"
    assert ended.reason.message == "Auto-terminated: the cluster was idle for 1 seconds"
    assert ended.steps[0].state == "COMPLETED"
    assert 1.5 <= time.monotonic() - began < 10


def test_latencies_show_in_the_timelines(tmp_path: Path, image: Path) -> None:
    """Start-up and bootstrap before readiness, a step's overhead before its process, termination before the end."""
    latencies = Latencies(startup=0.3, bootstrap_overhead=0.2, step_overhead=0.4, termination=0.25)
    request = job_flow(Instances={"KeepJobFlowAliveWhenNoSteps": False}, Steps=[shell("true")])
    ended = live(tmp_path, image, latencies, request)
    cluster, step = ended.timeline, ended.steps[0].timeline
    assert cluster.ready is not None
    assert cluster.ended is not None
    assert step.ready is not None
    assert step.ended is not None
    assert (cluster.ready - cluster.created).total_seconds() >= 0.5
    assert (step.ended - step.ready).total_seconds() >= 0.4
    assert (cluster.ended - step.ended).total_seconds() >= 0.25


def test_the_folder_of_a_cluster_goes_with_it(tmp_path: Path, image: Path) -> None:
    """Nodes' homes, Spark's work and scratch space."""
    request = job_flow(Instances={"KeepJobFlowAliveWhenNoSteps": False}, Steps=[shell("touch here")])
    ended = live(tmp_path, image, Latencies(), request)
    folder = tmp_path / "emr" / "nodes" / ended.id
    deadline = time.monotonic() + 5
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not folder.exists()


def test_trouble_of_the_stand_in_itself_ends_the_cluster_and_is_named(tmp_path: Path) -> None:
    """A machine image that cannot be made: INTERNAL_ERROR, never a cluster that hangs in STARTING."""
    in_the_way = tmp_path / "image"
    in_the_way.write_text("a file where the folder would be")
    ended = live(tmp_path, in_the_way, Latencies(), job_flow())
    assert (ended.state, ended.reason.code) == ("TERMINATED_WITH_ERRORS", "INTERNAL_ERROR")
    assert "image" in ended.reason.message


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        (
            "Traceback (most recent call last):\nValueError: bad\n26/11/23 09:48:45 INFO Hook: Deleting\n",
            "ValueError: bad",
        ),
        ("a.b.MyError: one\ncleaning up\n", "a.b.MyError: one"),
        (
            'Exception in thread "main" java.io.IOException: x\n\tat a.b\n',
            'Exception in thread "main" java.io.IOException: x',
        ),
        ("no such file\n26/11/23 09:48:45 INFO Hook: Deleting\n", "no such file"),
        ("", ""),
    ],
)
def test_a_failed_step_is_told_by_its_exception(stderr: str, message: str) -> None:
    """Not by what Spark logs while it shuts down."""
    assert what_went_wrong(stderr) == message


def test_a_yarn_master_is_the_clusters_own_spark() -> None:
    """`--master yarn` is left out; cluster mode, which needs YARN, is refused."""
    submit = shell(
        "", HadoopJarStep={"Jar": "command-runner.jar", "Args": ["spark-submit", "--master", "yarn", "a.py"]}
    )
    (step,) = steps_of([submit], now(), concurrency=1)
    assert command_of(step) == ["spark-submit", "a.py"]
    with pytest.raises(NotRunnableError, match="--deploy-mode cluster"):
        command_of(step.model_copy(update={"args": ("spark-submit", "--deploy-mode", "cluster", "a.py")}))
