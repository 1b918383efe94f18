"""Model cards and dataset cards: HTML from S3, shown in a frame that can run nothing and send nothing.

Whatever such an object holds, it is a document of no origin: no script, no form, no request to anywhere, no cookie.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Path, Request, Response

from dermaflow.pages.access import DatasetIdPath, ResultsDep, RunKeyPath
from dermaflow.pages.results import Results
from dermaflow.pages.view import Page, answer, render

router = APIRouter()
SANDBOX: Final = {
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
    )
}
NumberPath = Annotated[int, Path(ge=1, le=999_999)]


@router.get("/runs/{run_key}/card", name="run_card")
def run_card(request: Request, results: ResultsDep, run_key: RunKeyPath) -> Response:
    page = Page(request, results.root)
    back = (page.link("run", run_key=run_key), run_key)
    return _framed(request, results, "Model card", back, page.link("run_card_html", run_key=run_key))


@router.get("/runs/{run_key}/card.html", name="run_card_html")
def run_card_html(request: Request, results: ResultsDep, run_key: RunKeyPath) -> Response:
    return _from_s3(request, results, results.layout.model_card(run_key))


@router.get("/datasets/{dataset_id}/card", name="dataset_card")
def dataset_card(request: Request, results: ResultsDep, dataset_id: DatasetIdPath) -> Response:
    page = Page(request, results.root)
    back = (page.link("dataset", dataset_id=dataset_id), f"Dataset {dataset_id[:12]}")
    return _framed(request, results, "Dataset card", back, page.link("dataset_card_html", dataset_id=dataset_id))


@router.get("/datasets/{dataset_id}/card.html", name="dataset_card_html")
def dataset_card_html(request: Request, results: ResultsDep, dataset_id: DatasetIdPath) -> Response:
    return _from_s3(request, results, results.layout.dataset_card(dataset_id))


@router.get("/champion/{number}/card", name="champion_card")
def champion_card(request: Request, results: ResultsDep, number: NumberPath) -> Response:
    page = Page(request, results.root)
    frame = page.link("champion_card_html", number=str(number))
    return _framed(request, results, f"Model card of champion {number}", (page.link("champion"), "Champion"), frame)


@router.get("/champion/{number}/card.html", name="champion_card_html")
def champion_card_html(request: Request, results: ResultsDep, number: NumberPath) -> Response:
    """The copy that was kept when it was crowned."""
    found = next((one for one in results.champions() if one.number == number), None)
    if found is None:
        raise HTTPException(404, f"There is no champion {number}.")
    return _from_s3(request, results, found.card_key or results.layout.model_card(found.run_key))


def _framed(request: Request, results: Results, title: str, back: tuple[str, str], frame: str) -> Response:
    return render(request, "card.html", root=results.root, title=title, back=back, frame=frame)


def _from_s3(request: Request, results: Results, key: str) -> Response:
    body = results.card(key)
    if body is None:
        raise HTTPException(404, "There is no card at this place.")
    return answer(request, body, headers=SANDBOX)
