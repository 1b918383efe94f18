"""Gives a run's cluster back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import Context

from dermaflow.emr.clusters import Cluster
from dermaflow.errors import RunCutShort, StepTimedOut
from dermaflow.operators.base import TextArg, WaitingOperator
from dermaflow.run import owner_of
from dermaflow.triggers.cluster import ClusterTrigger
from dermaflow.triggers.outcome import Outcome


class TerminateClusterOperator(WaitingOperator):
    """End every cluster of the DAG run and wait until EMR says that it is gone.

    Finds the clusters by the run's name and tags, so that it needs no id from any other task; lifts termination
    protection first. Use it as the teardown of CreateClusterOperator:

    .. code-block:: python

        terminate = TerminateClusterOperator(task_id="terminate", cluster_id=create.output)
        terminate.as_teardown(setups=create, on_failure_fail_dagrun=True)

    :param cluster_id: ended too, even if it no longer has the run's name and tags.
    :param needs: ids of tasks without which the run is no success. Of a run that is marked failed Airflow skips what
        has not begun, lets the teardown run, and then calls the run a success, as no leaf has failed. So this task
        fails, after the cluster is gone, if one of these was skipped.
    :param wait_timeout: longest wait for the end.
    """

    template_fields: Sequence[str] = (*WaitingOperator.template_fields, "cluster_id")

    def __init__(
        self,
        *,
        cluster_id: TextArg | None = None,
        needs: Sequence[str] = (),
        wait_timeout: timedelta = timedelta(minutes=30),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cluster_id: Any = cluster_id
        self.needs = needs
        self.wait_timeout = wait_timeout

    def execute(self, context: Context) -> list[str]:
        return self._end_all(context, ended=[])

    def _end_all(self, context: Context, ended: list[str]) -> list[str]:
        """Every cluster that is alive; comes back here until none is. Ids of all that were ended."""
        alive = self._alive(context)
        if not alive:
            self._tell_cost(ended)
            self._check_run(context)
            return ended
        api = self.clusters()
        for cluster in alive:
            self.log.info("ending cluster %s (%s)", cluster.id, cluster.state)
            api.terminate(cluster)
        trigger = ClusterTrigger(
            cluster_id=alive[0].id,
            goal="terminated",
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            timeout_s=self.wait_timeout.total_seconds(),
        )
        ended = list(dict.fromkeys([*ended, *(cluster.id for cluster in alive)]))
        everyone: list[str] = self.wait(context, trigger, ended=ended)
        return everyone

    def finish(self, context: Context, event: dict[str, Any], *, ended: Sequence[str] = (), **kept: Any) -> list[str]:
        """One cluster is gone; where there are more, end the next."""
        outcome = Outcome.of(event)
        if outcome.timed_out:
            raise StepTimedOut(
                attempted="waited for the end of",
                resource=f"cluster {outcome.cluster_id}",
                reason=f"it is still {outcome.state} after {self.wait_timeout}",
                remedy="end it in EMR's console; the DAG emr_reaper tries again as well",
            )
        return self._end_all(context, list(ended))

    def _tell_cost(self, ended: Sequence[str]) -> None:
        self.log.info("no cluster of this run is alive")
        for cluster_id in ended:
            self.log.info("cluster %s was %s", cluster_id, self.clusters().account(cluster_id).text())

    def _check_run(self, context: Context) -> None:
        if not self.needs:
            return
        run = context["dag_run"]
        found = context["ti"].get_task_states(dag_id=run.dag_id, task_ids=list(self.needs), run_ids=[run.run_id])
        skipped = [task_id for task_id, state in found.get(run.run_id, {}).items() if state == "skipped"]
        if skipped:
            raise RunCutShort(
                attempted="gave back the cluster of",
                resource=f"run {run.run_id}",
                reason=f"the cluster is gone, yet the run was ended before {', '.join(skipped)}",
                remedy="nothing, if that was meant; else clear what was skipped",
            )

    def _alive(self, context: Context) -> list[Cluster]:
        api, owner = self.clusters(), owner_of(context)
        alive = {cluster.id: cluster for cluster in api.of_run(owner.deployment, owner.run_key)}
        named = api.describe(self.cluster_id) if self.cluster_id else None
        if named and not named.over:
            alive[named.id] = named
        return list(alive.values())
