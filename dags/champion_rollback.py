"""Make an earlier champion the champion again: the one before the present one, or any of the history by its number.

The history keeps every champion with a copy of its model; going back is one more entry in it, and can itself be undone.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, Param

from dermaflow import settings
from dermaflow.assets import CHAMPION_CHANGED
from dermaflow.operators.roll_back_champion import RollBackChampionOperator

with DAG(
    dag_id="champion_rollback",
    doc_md=__doc__,
    schedule=None,
    is_paused_upon_creation=False,  # when it is needed, it is needed now
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    params={
        "to": Param(
            None,
            "Number of a champion in the history. Empty: the model before the present one.",
            type=["null", "integer"],
            minimum=1,
            title="Back to",
        ),
        "why": Param("", "Kept in the history.", type="string", maxLength=500, title="Why"),
        "root": Param(settings.storage_root(), "s3://bucket[/prefix] of the project.", type="string", title="Root"),
    },
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "execution_timeout": timedelta(minutes=5),
    },
    tags=["dermaflow"],
):
    RollBackChampionOperator(
        task_id="roll_back",
        root="{{ params.root }}",
        to="{{ params.to }}",
        why="{{ params.why }}",
        outlets=[CHAMPION_CHANGED],
    )
