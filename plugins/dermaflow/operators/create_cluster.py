"""Creates a run's cluster, at most one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowRescheduleException

from dermaflow.emr import names
from dermaflow.emr.clusters import Cluster
from dermaflow.emr.job_flow import JobFlow, Owner, marked
from dermaflow.errors import DermaflowError
from dermaflow.links import EmrConsoleLink
from dermaflow.operators.base import AwsOperator
from dermaflow.pools import CLUSTERS, holds_slot
from dermaflow.run import owner_of

STORED_ID = "cluster_id"
LOOK_AGAIN = timedelta(seconds=10)


class CreateClusterOperator(AwsOperator):
    """Ask EMR for a cluster and return its id at once; WaitForClusterOperator waits for it.

    The cluster belongs to the DAG run by its name and tags. Tried again, cleared, or started twice, the task finds
    that cluster instead of paying for a second one. Make it a setup task of a TerminateClusterOperator.

    .. code-block:: python

        create = CreateClusterOperator(
            task_id="create",
            job_flow={
                "ReleaseLabel": "emr-7.14.0",
                "Applications": [{"Name": "Spark"}],
                "Instances": {
                    "InstanceGroups": [{"InstanceRole": "MASTER", "InstanceType": "m6i.xlarge", "InstanceCount": 1}],
                    "KeepJobFlowAliveWhenNoSteps": True,
                },
                "JobFlowRole": "EMR_EC2_DefaultRole",
                "ServiceRole": "EMR_DefaultRole",
                "AutoTerminationPolicy": {"IdleTimeout": 900},
            },
        )

    :param job_flow: RunJobFlow's request; its Name is replaced, and tags are added.
    :param max_age: goes into a tag; the DAG `emr_reaper` ends a cluster that is older.
    """

    template_fields: Sequence[str] = (*AwsOperator.template_fields, "job_flow")
    template_fields_renderers = {"job_flow": "json"}  # noqa: RUF012 - declared so by Airflow
    operator_extra_links = (EmrConsoleLink(),)

    def __init__(
        self, *, job_flow: JobFlow | None = None, max_age: timedelta = timedelta(hours=6), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.job_flow = job_flow
        self.max_age = max_age
        self._owner: Owner | None = None
        self._killed = False

    def execute(self, context: Context) -> str:
        self._owner = owner_of(context)
        if self.pool == CLUSTERS:
            self._mind_the_pool(context, self._owner)
        request = marked(self.request(), self._owner, datetime.now(UTC) + self.lifetime())
        store = context.get("task_state_store")
        stored = store.get(STORED_ID) if store else None
        cluster, created = self.clusters().obtain(request, stored_id=str(stored) if stored else None)
        if self._killed:
            self._end_all()
            raise DermaflowError(
                attempted="created",
                resource=f"cluster {cluster.id}",
                reason="the task was killed meanwhile; the cluster is being ended",
                remedy="clear this task if the run is to go on",
            )
        if store:
            store.set(STORED_ID, cluster.id)
        self.link_cluster(context, cluster.id)
        self.log.info("%s cluster %s (%s)", "created" if created else "attached to", cluster.id, cluster.name)
        return cluster.id

    def _mind_the_pool(self, context: Context, owner: Owner) -> None:
        """Let go of the slot if it is another run's, which has a cluster and is between two tasks just now."""
        ti, in_pool = context["ti"], {task.task_id for task in self.dag.tasks if task.pool == self.pool}
        clusters = {names.unquoted(each.tags.get(names.TAG_RUN_ID, "")) or "": each for each in self._of_dag(owner)}
        if owner.run_id in clusters:
            return
        for other, cluster in clusters.items():
            if not ti.get_dr_count(dag_id=owner.dag_id, run_ids=[other], states=["queued", "running"]):
                continue  # left over: the reaper's
            if not holds_slot(ti.get_task_states(dag_id=owner.dag_id, run_ids=[other]).get(other, {}), in_pool):
                self.log.info("the slot is that of run %s, whose cluster %s is %s", other, cluster.id, cluster.state)
                raise AirflowRescheduleException(datetime.now(UTC) + LOOK_AGAIN)

    def _of_dag(self, owner: Owner) -> list[Cluster]:
        wanted = {names.TAG_DEPLOYMENT: owner.deployment, names.TAG_DAG_ID: owner.dag_id}
        return [each for each in self.clusters().prefixed(f"{names.PREFIX}-") if wanted.items() <= each.tags.items()]

    def request(self) -> JobFlow:
        """What to ask for; subclasses build it from other arguments."""
        if self.job_flow is None:
            raise ValueError(f"{self.task_id}: job_flow is missing")
        return self.job_flow

    def lifetime(self) -> timedelta:
        return self.max_age

    def on_kill(self) -> None:
        """The teardown may not run when its setup was killed: end what was created, answered or not."""
        self._killed = True
        self._end_all()

    def _end_all(self) -> None:
        if self._owner is None:
            return
        api = self.clusters()
        for cluster in api.of_run(self._owner.deployment, self._owner.run_key):
            self.log.info("killed: ending cluster %s", cluster.id)
            api.terminate(cluster)
