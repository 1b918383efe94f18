"""Ends clusters that nobody needs any more: the third line after teardown and auto-termination."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context
from airflow.sdk.bases.notifier import BaseNotifier

from dermaflow import settings
from dermaflow.emr.clusters import Cluster
from dermaflow.emr.names import PREFIX
from dermaflow.emr.reaping import verdict
from dermaflow.notify.news import REAPED
from dermaflow.operators.base import AwsOperator

ACTIVE_RUNS = ["queued", "running"]


class ReapClustersOperator(AwsOperator):
    """End every cluster of this Airflow whose run is over, or that outlived its deadline; tell what each has cost.

    Only clusters with CreateClusterOperator's name and tags are looked at. Returns a row for each that was ended.

    .. code-block:: python

        reap = ReapClustersOperator(task_id="reap", only_tell="{{ params.dry_run }}")

    :param only_tell: a dry run; templated, so `"True"` and `"False"` are understood.
    :param notifiers: called where clusters were ended, with the rows in the context as `reaped_clusters`.
    """

    template_fields: Sequence[str] = (*AwsOperator.template_fields, "only_tell")

    def __init__(self, *, only_tell: bool | str = False, notifiers: Sequence[BaseNotifier] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.only_tell = only_tell
        self.notifiers = notifiers

    def execute(self, context: Context) -> list[dict[str, str]]:
        api, dry = self.clusters(), str(self.only_tell).lower() == "true"
        clusters = [cluster for cluster in api.prefixed(f"{PREFIX}-") if not cluster.over]
        rows = []
        for cluster in clusters:
            why = verdict(
                cluster,
                deployment=settings.deployment(),
                run_is_over=lambda dag_id, run_id: _is_over(context, dag_id, run_id),
                now=datetime.now(UTC),
            )
            if why is None:
                self.log.info("cluster %s (%s) is left alone", cluster.id, cluster.name)
                continue
            rows.append(self._row(cluster, why))
            self.log.warning("%s cluster %s: %s", "would end" if dry else "ending", cluster.id, rows[-1])
            if not dry:
                api.terminate(cluster)
        self.log.info("%d of %d clusters %s", len(rows), len(clusters), "would be ended" if dry else "ended")
        if rows and not dry:
            self._tell(context, rows)
        return rows

    def _tell(self, context: Context, rows: list[dict[str, str]]) -> None:
        """The clusters are ended already: a notifier that fails is no reason to fail."""
        for notifier in self.notifiers:
            try:
                notifier({**context, REAPED: rows})
            except Exception:
                self.log.exception("%s told nobody", type(notifier).__name__)

    def _row(self, cluster: Cluster, why: str) -> dict[str, str]:
        cost = self.clusters().account(cluster.id).text()
        return {"cluster": cluster.id, "name": cluster.name, "state": cluster.state, "why": why, "cost": cost}


def _is_over(context: Context, dag_id: str, run_id: str) -> bool | None:
    """By Airflow's own account of the run."""
    count = context["ti"].get_dr_count
    if not count(dag_id=dag_id, run_ids=[run_id]):
        return None
    return count(dag_id=dag_id, run_ids=[run_id], states=ACTIVE_RUNS) == 0
