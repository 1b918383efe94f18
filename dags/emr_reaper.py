"""End clusters whose run is over or whose deadline has passed, should teardown and auto-termination both have failed.

Every quarter of an hour; with the param `dry_run` it only tells. Each cluster's cost so far is in the task's log.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param

from dermaflow import settings
from dermaflow.notify import callbacks, notice
from dermaflow.operators.reap_clusters import ReapClustersOperator

with DAG(
    dag_id="emr_reaper",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("*/15 * * * *", timezone="UTC") if settings.schedule() else None,
    is_paused_upon_creation=False,  # a safety net that somebody has to remember is none
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    params={"dry_run": Param(False, "Only tell which clusters would be ended.", type="boolean", title="Dry run")},
    default_args={
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "execution_timeout": timedelta(minutes=10),
    },
    tags=["dermaflow"],
    **callbacks("failure"),
):
    ReapClustersOperator(task_id="reap", only_tell="{{ params.dry_run }}", notifiers=[notice("reaped")])
