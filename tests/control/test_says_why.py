"""What a failed step or cluster leaves in the task's message, and progress in its log."""

from __future__ import annotations

import gzip
import logging
from datetime import UTC, datetime, timedelta

import pytest
from aws_account import BUCKET, Account
from emr_requests import ShellStep, create
from fake_run import FakeRun
from proxy import DENIED, Proxy

from dermaflow.emr.logs import LogPlace, choose, tail
from dermaflow.errors import StepFailed, StepNeedsAttention, StepTimedOut
from dermaflow_jobs.contract.failure import FailureReport
from dermaflow_jobs.contract.progress import Progress


@pytest.fixture
def cluster_id(clean: Account, run: FakeRun) -> str:
    cluster_id: str = run.execute(create())
    clean.wait_for(cluster_id, {"WAITING"})
    return cluster_id


def report(at: datetime, remedy: str | None = None) -> str:
    return FailureReport(
        step="s", error="OutOfFilm", message="no film", remedy=remedy, traceback="Traceback…", host="node-7", at=at
    ).to_json()


def step(key: str, cluster_id: str, script: str) -> ShellStep:
    return ShellStep(task_id="step", cluster_id=cluster_id, script=script, failure_uri=f"s3://{BUCKET}/{key}")


def test_the_jobs_own_report_is_told_before_any_log(clean: Account, run: FakeRun, cluster_id: str) -> None:
    """Exception, host and traceback, from the object that the job wrote."""
    clean.s3.put_object(Bucket=BUCKET, Key="f1.json", Body=report(datetime.now(UTC)))
    with pytest.raises(StepFailed) as failure:
        run.complete(step("f1.json", cluster_id, "exit 1"))
    log_at = f"log: s3://{BUCKET}/logs/{cluster_id}/steps/s-"
    assert all(word in str(failure.value) for word in ("OutOfFilm", "node-7", "Traceback…", log_at))


def test_a_step_that_failed_is_told_even_where_why_cannot_be_read(
    clean: Account, proxy: Proxy, run: FakeRun, cluster_id: str
) -> None:
    """The connection may not read the bucket: the task ends with EMR's words and says what it lacks."""
    proxy.strike({"service": "s3", "operation": "GetObject", **DENIED})
    blind = ShellStep(
        task_id="blind", cluster_id=cluster_id, script="exit 1", failure_uri=f"s3://{BUCKET}/no.json",
        aws_conn_id="aws_proxied",
    )  # fmt: skip
    with pytest.raises(StepFailed, match="it is FAILED") as failure:
        run.complete(blind)
    assert "why cannot be read: An error occurred (AccessDenied)" in str(failure.value)


def test_a_report_with_a_remedy_is_not_tried_again(clean: Account, run: FakeRun, cluster_id: str) -> None:
    """Airflow ends such a task without its retries: a person has to do something first."""
    clean.s3.put_object(Bucket=BUCKET, Key="f2.json", Body=report(datetime.now(UTC), "buy some"))
    with pytest.raises(StepNeedsAttention, match="What to do: buy some"):
        run.complete(step("f2.json", cluster_id, "exit 1"))


def test_a_report_of_an_earlier_try_is_not_believed(clean: Account, run: FakeRun, cluster_id: str) -> None:
    """Then the log is what there is."""
    clean.s3.put_object(Bucket=BUCKET, Key="f3.json", Body=report(datetime.now(UTC) - timedelta(hours=1)))
    with pytest.raises(StepFailed) as failure:
        run.complete(step("f3.json", cluster_id, "echo shutter stuck >&2; echo Traceback of the driver; exit 1"))
    assert "shutter stuck" in str(failure.value)
    assert "Traceback of the driver" in str(failure.value)
    assert "OutOfFilm" not in str(failure.value)


def test_a_step_that_takes_too_long_is_cancelled(clean: Account, run: FakeRun, cluster_id: str) -> None:
    slow = ShellStep(task_id="slow", cluster_id=cluster_id, script="exec sleep 60", wait_timeout=timedelta(seconds=1))
    with pytest.raises(StepTimedOut, match="wait_timeout"):
        run.complete(slow)
    (only,) = clean.emr.list_steps(ClusterId=cluster_id)["Steps"]
    clean.wait_for_step(cluster_id, only["Id"], {"CANCELLED"})


def test_progress_is_told_while_the_step_runs(
    clean: Account, run: FakeRun, cluster_id: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Images done, rate and loss appear as the job writes them; what an earlier try wrote does not."""
    caplog.set_level(logging.INFO)
    old = Progress(step="s", phase="old", done=9, total=9, unit="images", updated_at=datetime(2020, 1, 1, tzinfo=UTC))
    clean.s3.put_object(Bucket=BUCKET, Key="p.json", Body=old.to_json())
    new = Progress(
        step="s", phase="fitting", done=480, total=4800, unit="images", rate=91, eta_s=47, figures={"loss": 0.912},
        updated_at=datetime.now(UTC) + timedelta(hours=1),
    )  # fmt: skip
    clean.s3.put_object(Bucket=BUCKET, Key="new.json", Body=new.to_json())
    script = f"sleep 1; aws s3 cp s3://{BUCKET}/new.json s3://{BUCKET}/p.json; sleep 3"
    run.complete(ShellStep(task_id="s", cluster_id=cluster_id, script=script, progress_uri=f"s3://{BUCKET}/p.json"))
    told = caplog.text + capfd.readouterr().out
    assert "s: fitting 480/4,800 images, 91 images/s, 0:00:47 left, loss 0.912" in told
    assert "old" not in told


def test_the_end_of_a_log_is_read_plain_or_gzipped_or_half_written() -> None:
    """EMR's files differ by release; a gzip that is still being written gives what is there."""
    text = "\n".join(f"line {n}" for n in range(10_000)).encode()
    assert tail(text, 2) == ("line 9998", "line 9999")
    assert tail(gzip.compress(text), 1) == ("line 9999",)
    assert len(tail(gzip.compress(text)[:-200])) == 40


def test_a_log_is_found_whatever_its_name() -> None:
    keys = ["a/stdout.gz", "a/stderr.txt.gz", "b/stderr", "b/stderrs.gz", "c/syslog.gz"]
    assert choose(keys, "stderr") == ["a/stderr.txt.gz", "b/stderr"]


@pytest.mark.parametrize("uri", ["s3://b/logs/", "s3n://b/logs", "s3://b/logs"])
def test_the_place_of_logs_is_told_from_the_log_uri(uri: str) -> None:
    assert LogPlace.of_cluster(uri, "j-1").below("steps", "s-2").uri == "s3://b/logs/j-1/steps/s-2/"
