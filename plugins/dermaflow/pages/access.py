"""Who may see a page, and of which storage root: decided before a route's own code runs."""

from __future__ import annotations

from typing import Annotated, Any, Final

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.models.dagrun import DagRun
from fastapi import Depends, HTTPException, Path, Query, status
from pydantic import StringConstraints, TypeAdapter, ValidationError
from sqlalchemy import select

from dermaflow import settings
from dermaflow.form import ROOT
from dermaflow.pages.results import Results, open_results
from dermaflow_jobs.contract.run_spec import StorageRoot

DAG_ID: Final = "lesion_training"
RUNS_LOOKED_AT: Final = 500

may_read = requires_access_dag("GET", param_dag_id=DAG_ID)
"""Depended on by the app itself, so by every route there is."""

RUN_KEY: Final = r"^[A-Za-z0-9_.-]+=[A-Za-z0-9_.-]+$"
"""As `make_run_key` writes it: one segment, and never `..`."""
RunKeyPath = Annotated[str, Path(pattern=RUN_KEY, max_length=200)]
RunKeyText = Annotated[str, StringConstraints(pattern=RUN_KEY, max_length=200)]
DatasetIdPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,100}$")]


def roots_in_use(session: SessionDep) -> list[str]:
    """The installation's storage root first, then every other one that a recent run of the DAG was given.

    Nothing else is ever read: an address can choose among these and name no root of its own.
    """
    query = select(DagRun.conf).where(DagRun.dag_id == DAG_ID).order_by(DagRun.id.desc()).limit(RUNS_LOOKED_AT)
    given = {root for conf in session.scalars(query) if (root := _root(conf))}
    default = settings.storage_root().rstrip("/")
    return [default, *sorted(given - {default})]


def _root(conf: Any) -> str | None:
    value = conf.get(ROOT) if isinstance(conf, dict) else None
    try:
        return TypeAdapter(StorageRoot).validate_python(value).rstrip("/") if value else None
    except ValidationError:
        return None


RootsDep = Annotated[list[str], Depends(roots_in_use)]


def results(roots: RootsDep, root: Annotated[str | None, Query(max_length=300)] = None) -> Results:
    """What S3 holds below the root that the address names, or below the installation's."""
    chosen = (root or roots[0]).rstrip("/")
    if chosen not in roots:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "No run of this Airflow uses that storage root.")
    return open_results(chosen)


ResultsDep = Annotated[Results, Depends(results)]
