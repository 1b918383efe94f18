"""The champion, and every one before it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from dermaflow.pages.access import ResultsDep
from dermaflow.pages.view import render

router = APIRouter()


@router.get("/champion", name="champion")
def champion(request: Request, results: ResultsDep) -> Response:
    found = results.champions()
    present = results.champion()
    return render(
        request,
        "champion.html",
        root=results.root,
        present=present,
        champions=found,
        pointer=results.layout.uri(results.layout.champion()),
    )
