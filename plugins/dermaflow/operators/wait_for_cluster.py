"""Waits until a cluster can run steps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import Context

from dermaflow.errors import ClusterFailed
from dermaflow.operators.base import TextArg, WaitingOperator
from dermaflow.triggers.cluster import ClusterTrigger
from dermaflow.triggers.outcome import Outcome


class WaitForClusterOperator(WaitingOperator):
    """Return the cluster's id once it is RUNNING or WAITING; fail with EMR's reason if it ends instead.

    A failed bootstrap action is shown with the end of its stderr and the node it ran on.

    .. code-block:: python

        ready = WaitForClusterOperator(task_id="ready", cluster_id=create.output)

    :param cluster_id: from CreateClusterOperator.
    :param wait_timeout: longest wait for the cluster to come up.
    :param log_wait: longest wait for the logs of a failed bootstrap action.
    """

    template_fields: Sequence[str] = (*WaitingOperator.template_fields, "cluster_id")

    def __init__(
        self,
        *,
        cluster_id: TextArg,
        wait_timeout: timedelta = timedelta(minutes=45),
        log_wait: timedelta = timedelta(minutes=4),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cluster_id: Any = cluster_id
        self.wait_timeout = wait_timeout
        self.log_wait = log_wait

    def execute(self, context: Context) -> str:
        trigger = ClusterTrigger(
            cluster_id=self.cluster_id,
            goal="ready",
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            timeout_s=self.wait_timeout.total_seconds(),
            log_wait_s=self.log_wait.total_seconds(),
            terminate_on_kill=True,
        )
        return str(self.wait(context, trigger))

    def finish(self, context: Context, event: dict[str, Any], **kept: Any) -> str:
        outcome = Outcome.of(event)
        if outcome.ok:
            return str(self.cluster_id)
        detail = f"\n{outcome.detail}" if outcome.detail else ""
        raise ClusterFailed(
            attempted="waited for",
            resource=f"cluster {self.cluster_id}",
            reason=f"it is {outcome.state}: {outcome.reason or 'EMR gave no reason'}{detail}",
            remedy=_remedy(outcome),
        )


def _remedy(outcome: Outcome) -> str:
    if outcome.timed_out:
        return "see in EMR's console what the cluster waits for (capacity, subnet), then start the run again"
    if "BOOTSTRAP" in outcome.reason.upper():
        return "mend what the bootstrap action's log above complains of, then start the run again"
    return "mend what EMR names above (quota, role, subnet, instance type), then start the run again"
