"""From a DAG run to its page: the tab `Results` that Airflow shows on each run."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.models.dagrun import DagRun
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from dermaflow.form import ROOT
from dermaflow.pages.view import Page
from dermaflow.run import run_key_of
from dermaflow.settings import storage_root

router = APIRouter()


@router.get(
    "/dag-run", name="dag_run", dependencies=[Depends(requires_access_dag("GET", access_entity=DagAccessEntity.RUN))]
)
def dag_run(
    request: Request,
    session: SessionDep,
    dag_id: Annotated[str, Query(max_length=250)],
    run_id: Annotated[str, Query(max_length=250)],
) -> Response:
    found = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
    if found is None:
        raise HTTPException(404, "Airflow knows no such DAG run.")
    given = (found.conf or {}).get(ROOT)
    root = f"?{urlencode({'root': given})}" if given and given.rstrip("/") != storage_root().rstrip("/") else ""
    path = Page(request, storage_root()).path("run", run_key=run_key_of({"dag_run": found}))
    return RedirectResponse(f"{path}{root}", status_code=303)
