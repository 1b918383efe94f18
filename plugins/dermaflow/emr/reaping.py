"""Which clusters have outlived their reason to be: a pure decision."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from dermaflow.emr import names
from dermaflow.emr.clusters import Cluster

GRACE = timedelta(minutes=10)
"""A cluster of a run that is over is its teardown's for this long."""

RunIsOver = Callable[[str, str], bool | None]
"""DAG id, run id → is that run over; None where this Airflow knows of no such run."""


def verdict(cluster: Cluster, *, deployment: str, run_is_over: RunIsOver, now: datetime) -> str | None:
    """Why the cluster should end; None to let it be. A cluster without our tags is never ours to judge."""
    if cluster.tags.get(names.TAG_DEPLOYMENT) != deployment or names.TAG_RUN_KEY not in cluster.tags:
        return None
    deadline = names.parse_deadline(cluster.tags.get(names.TAG_DEADLINE, ""))
    if deadline and now > deadline:
        return f"it has outlived its deadline, {deadline:%Y-%m-%d %H:%M} UTC"
    if cluster.created_at is None or now - cluster.created_at < GRACE:
        return None
    dag_id, run_id = cluster.tags.get(names.TAG_DAG_ID), names.unquoted(cluster.tags.get(names.TAG_RUN_ID, ""))
    if not dag_id or not run_id:
        return None
    over = run_is_over(dag_id, run_id)
    if over:
        return f"its run {run_id} of {dag_id} is over"
    if over is None:
        return f"its run {run_id} of {dag_id} does not exist (any more)"
    return None
