"""Style sheet and icon. Named one by one: a folder mounted for static files would be behind no login."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Path, Response

from dermaflow.pages.view import HERE

router = APIRouter()
FILES: Final = {
    "style.css": "text/css; charset=utf-8",
    "models.svg": "image/svg+xml",
    "models-dark.svg": "image/svg+xml",
}


@router.get("/static/{name}", name="static")
def static(name: Annotated[str, Path(max_length=40)]) -> Response:
    if name not in FILES:
        raise HTTPException(404, "There is no such file.")
    body = (HERE / "static" / name).read_bytes()
    return Response(body, media_type=FILES[name], headers={"Cache-Control": "private, max-age=3600"})
