"""Runs one Spark job as a step of a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from airflow.sdk import BaseOperatorLink, Context

from dermaflow.emr import names
from dermaflow.emr.spark_step import spark_submit, step_request
from dermaflow.emr.states import STEP_DONE
from dermaflow.emr.steps import Step
from dermaflow.errors import ClusterFailed, StepFailed, StepNeedsAttention, StepTimedOut
from dermaflow.links import EmrConsoleLink
from dermaflow.operators.base import TextArg, WaitingOperator
from dermaflow.run import run_key_of
from dermaflow.triggers.outcome import Outcome
from dermaflow.triggers.step import StepTrigger


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
    :param then: ids of later SparkStepOperator tasks on the same cluster, in order. Their steps are added behind
        this one's at once, so that the cluster never idles while Airflow gets from task to task; those tasks then find
        their steps. Give all of them `action_on_failure="CANCEL_AND_WAIT"`, so that none runs after one that failed.
        Not for mapped tasks, nor where StepConcurrencyLevel is above 1.
    :param action_on_failure: what EMR does with the steps behind a failed one.
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
    operator_extra_links: tuple[BaseOperatorLink, ...] = (EmrConsoleLink(),)

    def __init__(
        self,
        *,
        cluster_id: TextArg,
        application: str = "",
        application_args: Sequence[str] = (),
        conf: Mapping[str, str] | None = None,
        progress_uri: str | None = None,
        failure_uri: str | None = None,
        then: Sequence[str] = (),
        action_on_failure: Literal["CONTINUE", "CANCEL_AND_WAIT"] = "CONTINUE",
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
        self.then = then
        self.action_on_failure = action_on_failure
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
        step = self.steps(self.cluster_id).obtain([self.request(context), *self._requests_behind(context)])[0]
        self.log.info("step %s (%s) is %s", step.id, step.name, step.state)
        self._step_id = step.id
        if self._killed:
            self.on_kill()
        if step.state == STEP_DONE:
            return self.result(context)
        return self.wait(context, self._trigger(step.id))

    def finish(self, context: Context, event: dict[str, Any], **kept: Any) -> Any:
        outcome, name = Outcome.of(event), self.request(context)["Name"]
        if outcome.ok:
            return self.result(context)
        step = next(reversed(self.steps(self.cluster_id).named(name)), None)
        if outcome.timed_out and step:
            self.steps(self.cluster_id).give_up(step.id)
        raise self._error(outcome, step)

    def result(self, context: Context) -> Any:
        """What the task returns after a completed step."""
        return None

    def request(self, context: Context) -> dict[str, Any]:
        """The step as AddJobFlowSteps takes it; the same for every try of this task."""
        index = getattr(context["ti"], "map_index", None)
        command = self.command()
        key = names.step_key(
            run_key=run_key_of(context),
            task_id=self.task_id,
            map_index=-1 if index is None else int(index),
            args=command,
        )
        return step_request(self.task_id, key, command, action_on_failure=self._action_on_failure())

    def on_kill(self) -> None:
        """Killed before it waits in the triggerer; there, the trigger does the same."""
        self._killed = True
        if self._step_id:
            self.log.info("killed: cancelling step %s", self._step_id)
            self.steps(self.cluster_id).give_up(self._step_id)

    def _action_on_failure(self) -> str:
        return self.action_on_failure

    def _followers(self) -> Sequence[str]:
        return self.then

    def _requests_behind(self, context: Context) -> list[dict[str, Any]]:
        """Of the tasks named by `then`, with their templates rendered as they will be."""
        requests = []
        for task_id in self._followers():
            task = self.dag.get_task(task_id).prepare_for_execution()
            if not isinstance(task, SparkStepOperator):
                raise TypeError(f"{self.task_id}: {task_id}, named in `then`, is no SparkStepOperator")
            task.render_template_fields(context)
            requests.append(task.request(context))
        return requests

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
        if outcome.state != "FAILED":
            return StepFailed(
                **said, remedy="see who ended it, if nobody meant to; tried again, the task adds a new step"
            )
        return StepFailed(**said, remedy="mend what the report above names; the task adds a new step when tried again")
