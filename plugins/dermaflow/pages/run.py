"""One run: what it scored, what it was told, what it cost; or how far it is."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response

from dermaflow.leaves import leaves
from dermaflow.pages import charts
from dermaflow.pages.access import ResultsDep, RunKeyPath
from dermaflow.pages.results import Results
from dermaflow.pages.view import render
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.run_spec import RunSpec

router = APIRouter()
AGAIN_S = 10
"""Seconds after which the page of an unfinished run looks again."""


@router.get("/runs/{run_key}", name="run")
def run(request: Request, results: ResultsDep, run_key: RunKeyPath) -> Response:
    record, spec = results.record(run_key), results.spec(run_key)
    if record is None:
        return _unfinished(request, results, run_key, spec)
    history = results.history(run_key)
    learned = charts.both_widths(lambda width: charts.learning({run_key: history}, width=width)) if history else ""
    return render(
        request,
        "run.html",
        root=results.root,
        record=record,
        options=option_rows(spec.options) if spec else [],
        champion=results.champion(),
        learned=learned,
        best_epoch=history.best_epoch if history else None,
        cost=record.cost or results.cost(run_key),
        code_id=record.code_id,
    )


def _unfinished(request: Request, results: Results, run_key: str, spec: RunSpec | None) -> Response:
    if spec is None:
        text = f"Nothing of {run_key} is below {results.root} (yet). This page looks again every ten seconds."
        raise HTTPException(404, text, headers={"Refresh": str(AGAIN_S)})
    response = render(
        request,
        "unfinished.html",
        root=results.root,
        run_key=run_key,
        spec=spec,
        steps=results.steps(run_key),
        options=option_rows(spec.options),
        cost=results.cost(run_key),
    )
    response.headers["Refresh"] = str(AGAIN_S)
    return response


def option_rows(options: RunOptions) -> list[tuple[str, str, str, bool]]:
    """Part, title, value as a person writes it, and whether it is the option's default."""
    values = options.model_dump(mode="json")
    return [
        (leaf.part, str(leaf.schema.get("title", leaf.name)), leaf.shown(value), value == leaf.default)
        for leaf in leaves()
        for value in [values[leaf.part][leaf.name]]
    ]
