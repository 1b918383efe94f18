"""Which run a task belongs to, in the contract's terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from airflow.sdk import Context

from dermaflow import settings
from dermaflow.emr.job_flow import Owner
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.run_spec import CodeRef, RunIdentity, RunSpec, make_run_key

BY_DATE: Final = ("scheduled", "backfill")
"""Types of runs whose logical date names them."""


def identity_of(context: Context | Mapping[str, Any]) -> RunIdentity:
    """From Airflow's context. A manual run sees all data up to its start; its logical date may be null."""
    run = context["dag_run"]
    by_date = _by_date(run)
    until = (run.data_interval_end if by_date else None) or run.start_date or run.run_after
    return RunIdentity(
        run_key=run_key_of(context),
        dag_id=run.dag_id,
        run_id=run.run_id,
        logical_date=run.logical_date,
        data_until=until,
        run_type=_type(run),
    )


def run_key_of(context: Context | Mapping[str, Any]) -> str:
    """The same for every task and every try of the run."""
    run = context["dag_run"]
    return make_run_key(dag_id=run.dag_id, run_id=run.run_id, logical_date=run.logical_date, scheduled=_by_date(run))


def owner_of(context: Context | Mapping[str, Any]) -> Owner:
    """By whose name and tags a cluster is found."""
    run = context["dag_run"]
    return Owner(settings.deployment(), run_key_of(context), run.dag_id, run.run_id)


def run_spec(context: Context | Mapping[str, Any], *, root: str, code: CodeRef, options: RunOptions) -> RunSpec:
    return RunSpec(root=root.rstrip("/"), code=code, identity=identity_of(context), options=options)


def _type(run: Any) -> str:
    return str(getattr(run.run_type, "value", run.run_type))


def _by_date(run: Any) -> bool:
    return run.logical_date is not None and _type(run) in BY_DATE
