"""Workers on executors: what comes back of one that refuses, dies or finds no room."""

from __future__ import annotations

import pytest

from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.runtime.placement import WorkersLostError, reason, run_on_executors


def test_results_come_back_by_rank_and_every_worker_knows_all_addresses(local_spark):
    def body(placement):
        return placement.rank, placement.is_chief, len(set(placement.addresses))

    assert run_on_executors(local_spark, 2, body) == [(0, True, 2), (1, False, 2)]


def test_a_worker_s_own_error_comes_back_as_it_was(local_spark):
    def body(placement):
        raise JobError("no such class", remedy="add it")

    with pytest.raises(JobError, match=r"^no such class$") as caught:
        run_on_executors(local_spark, 1, body)
    assert caught.value.remedy == "add it"


def test_a_worker_that_dies_ends_the_step_with_its_reason(local_spark):
    def body(placement):
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(WorkersLostError, match="Python worker exited unexpectedly") as caught:
        run_on_executors(local_spark, 1, body)
    assert "last checkpoint" in caught.value.remedy


def test_more_workers_than_the_cluster_has_room_for_are_refused_at_once(local_spark):
    with pytest.raises(JobError, match="3 workers were asked for, the cluster has room for 2"):
        run_on_executors(local_spark, 3, lambda placement: placement.rank)


def test_the_reason_is_the_line_of_spark_s_report_that_says_what_happened():
    report = (
        "Job aborted due to stage failure: Could not recover from a failed barrier ResultStage.\n"
        "org.apache.spark.api.python.PythonException: Traceback (most recent call last):\n"
        '  File "worker.py", line 1\n    raise\n'
        "tensorflow.python.framework.errors_impl.UnavailableError: Collective ops is aborted\n\n"
        "\tat org.apache.spark.api.python.BasePythonRunner\n"
    )
    assert reason(report) == "tensorflow.python.framework.errors_impl.UnavailableError: Collective ops is aborted"
    assert reason("") == "no reason given"
