"""One dataset: how many images of what, what was left out and why, and which runs learned from it."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response

from dermaflow.pages.access import DatasetIdPath, ResultsDep
from dermaflow.pages.view import render
from dermaflow_jobs.contract.dataset import SPLITS

router = APIRouter()


@router.get("/datasets/{dataset_id}", name="dataset")
def dataset(request: Request, results: ResultsDep, dataset_id: DatasetIdPath) -> Response:
    manifest = results.manifest(dataset_id)
    if manifest is None:
        raise HTTPException(404, f"There is no finished dataset {dataset_id} below {results.root}.")
    runs = [row for row in results.table().rows if row.dataset_id == dataset_id]
    return render(
        request,
        "dataset.html",
        root=results.root,
        manifest=manifest,
        splits=SPLITS,
        runs=runs[:50],
        all_runs=len(runs),
        megabytes=sum(shard.bytes for shard in manifest.shards) / 1e6,
    )
