"""The first page: the champion, and all runs over time."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from dermaflow.pages import charts
from dermaflow.pages.access import ResultsDep, RootsDep
from dermaflow.pages.view import Page, render

router = APIRouter()
PER_PAGE: Final = 25
DRAWN: Final = 200
"""The newest runs that the chart shows."""


@router.get("/", name="overview")
def overview(
    request: Request, results: ResultsDep, roots: RootsDep, page: Annotated[int, Query(ge=1, le=10_000)] = 1
) -> Response:
    table, champion = results.table(), results.champion()
    first = (page - 1) * PER_PAGE
    drawn = sorted(table.rows[:DRAWN], key=lambda row: row.at)
    view = Page(request, results.root)
    chart = (
        charts.both_widths(
            lambda width: charts.over_time(drawn, lambda row: view.link("run", run_key=row.run_key), width=width)
        )
        if drawn
        else ""
    )
    return render(
        request,
        "overview.html",
        root=results.root,
        roots=roots,
        champion=champion,
        chart=chart,
        drawn=len(drawn),
        rows=table.rows[first : first + PER_PAGE],
        all_rows=len(table.rows),
        unreadable=table.unreadable,
        number=page,
        pages=max(1, -(-len(table.rows) // PER_PAGE)),
        bucket_key=results.layout.uri(results.layout.ledger_csv()),
    )
