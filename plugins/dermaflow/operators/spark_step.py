"""Runs one Spark job as a step of a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import Context

from dermaflow.emr import names
from dermaflow.emr.spark_step import spark_submit, step_request
from dermaflow.emr.steps import Step
from dermaflow.errors import ClusterFailed, StepFailed, StepNeedsAttention, StepTimedOut
from dermaflow.links import EmrConsoleLink
from dermaflow.operators.base import TextArg, WaitingOperator
from dermaflow.run import run_key_of
from dermaflow.triggers.outcome import Outcome
from dermaflow.triggers.step import StepTrigger

STORED_ID = "step_id"


class SparkStepOperator(WaitingOperator):
    """Add a spark-submit step to a cluster, wait for it without a worker, and say why if it fails.

    Tried again, the task finds its step by a key in the step's name: it waits for one that is pending or running,
    returns for one that is completed, and adds a new one for one that failed, was cancelled or interrupted.
    Killed, it cancels its step.

    .. code-block:: python

        count = SparkStepOperator(
            task_id="count",
            cluster_id=create.output,
            application="s3://my-bucket/jobs/count.py",
            application_args=["--day", "{{ ds }}"],
            conf={"spark.executor.memory": "4g"},
        )

    :param cluster_id: from CreateClusterOperator.
    :param application: what spark-submit runs; a path on the primary node or an `s3://` URI.
    :param application_args: its arguments.
    :param conf: Spark properties.
    :param progress_uri: object of a contract Progress that the job overwrites; its lines appear in the task's log.
    :param failure_uri: object of a contract FailureReport that the job leaves when it fails.
    :param wait_timeout: the step is cancelled after this long.
    :param log_wait: longest wait for the stderr of a failed step that left no report.
    """

    template_fields: Sequence[str] = (
        *WaitingOperator.template_fields,
        "cluster_id",
        "application",
        "application_args",
        "conf",
        "progress_uri",
        "failure_uri",
    )
    operator_extra_links = (EmrConsoleLink(),)

    def __init__(
        self,
        *,
        cluster_id: TextArg,
        application: str = "",
        application_args: Sequence[str] = (),
        conf: Mapping[str, str] | None = None,
        progress_uri: str | None = None,
        failure_uri: str | None = None,
        wait_timeout: timedelta = timedelta(hours=6),
        log_wait: timedelta = timedelta(minutes=4),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cluster_id: Any = cluster_id
        self.application = application
        self.application_args = application_args
        self.conf = conf
        self.progress_uri = progress_uri
        self.failure_uri = failure_uri
        self.wait_timeout = wait_timeout
        self.log_wait = log_wait
        self._step_id: str | None = None
        self._killed = False

    def command(self) -> list[str]:
        """What command-runner.jar runs; subclasses build it from other arguments."""
        return spark_submit(self.application, name=self.task_id, conf=self.conf or {}, args=list(self.application_args))

    def execute(self, context: Context) -> Any:
        self.link_cluster(context, self.cluster_id)
        self._check_cluster()
        step = self._obtain(context)
        self._step_id = step.id
        if self._killed:
            self.on_kill()
        return self.wait(context, self._trigger(step.id))

    def finish(self, context: Context, event: dict[str, Any]) -> Any:
        outcome, step = Outcome.of(event), self._obtained(context)
        if outcome.ok:
            return self.result()
        if outcome.timed_out and step:
            self.steps(self.cluster_id).cancel([step.id])
        raise self._error(outcome, step)

    def result(self) -> Any:
        """What the task returns after a completed step."""
        return None

    def on_kill(self) -> None:
        """Killed before it waits in the triggerer; there, the trigger does the same."""
        self._killed = True
        if self._step_id:
            self.log.info("killed: cancelling step %s", self._step_id)
            self.steps(self.cluster_id).cancel([self._step_id])

    def _check_cluster(self) -> None:
        cluster = self.clusters().describe(self.cluster_id)
        if cluster and cluster.usable:
            return
        state = f"it is {cluster.state}: {cluster.reason}" if cluster else "EMR does not know it"
        raise ClusterFailed(
            attempted=f"tried to run {self.task_id} on",
            resource=f"cluster {self.cluster_id}",
            reason=state,
            remedy="clear the task that creates the cluster, with everything after it",
        )

    def _step_name(self, context: Context) -> str:
        key = names.step_key(
            run_key=run_key_of(context), task_id=self.task_id, map_index=self._map_index(context), args=self.command()
        )
        return names.step_name(self.task_id, key)

    def _map_index(self, context: Context) -> int:
        index = getattr(context["ti"], "map_index", None)
        return -1 if index is None else int(index)

    def _obtain(self, context: Context) -> Step:
        title, _, key = self._step_name(context).rpartition(" ")
        request = step_request(title, key.strip("[]"), self.command())
        return self.steps(self.cluster_id).obtain(request)[0]

    def _obtained(self, context: Context) -> Step | None:
        """The newest step of this task: the one that we waited for."""
        return next(iter(self.steps(self.cluster_id).named(self._step_name(context))), None)

    def _trigger(self, step_id: str) -> StepTrigger:
        return StepTrigger(
            cluster_id=self.cluster_id,
            step_id=step_id,
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            progress_uri=self.progress_uri,
            failure_uri=self.failure_uri,
            timeout_s=self.wait_timeout.total_seconds(),
            log_wait_s=self.log_wait.total_seconds(),
        )

    def _error(self, outcome: Outcome, step: Step | None) -> Exception:
        where = f"step {step.name!r} ({step.id})" if step else f"step of {self.task_id}"
        detail = f"\n{outcome.detail}" if outcome.detail else ""
        said = {
            "attempted": "ran",
            "resource": f"{where} on cluster {self.cluster_id}",
            "reason": f"it is {outcome.state}: {outcome.reason or 'EMR gave no reason'}{detail}",
        }
        if outcome.timed_out:
            return StepTimedOut(**said, remedy="give the task a longer wait_timeout, or the cluster more nodes")
        if outcome.needs_person:
            return StepNeedsAttention(**said, remedy="as the report above says; then clear this task")
        return StepFailed(**said, remedy="mend what the report above names; the task adds a new step when tried again")
