"""The pages as one FastAPI app: every route behind Airflow's login, every answer with the same strict headers."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from airflow.sdk.exceptions import AirflowException
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException

from dermaflow import settings
from dermaflow.errors import AwsCallFailed
from dermaflow.pages import assets, cards, champion, compare, dag_run, dataset, overview, run
from dermaflow.pages.access import may_read
from dermaflow.pages.mount import base_path
from dermaflow.pages.view import render
from dermaflow_jobs.contract.base import ContractError

log = logging.getLogger(__name__)
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie, Authorization, Sec-Fetch-Dest",
}
UNREADABLE: Final = "An object in S3 is not what it should be."


@lru_cache(maxsize=1)
def pages_app() -> FastAPI:
    """No OpenAPI and no docs: those routes would not be covered by the app's dependencies."""
    app = FastAPI(title="Dermaflow", openapi_url=None, docs_url=None, redoc_url=None, dependencies=[Depends(may_read)])
    for module in (overview, run, compare, champion, dataset, cards, dag_run, assets):
        app.include_router(module.router)
    app.middleware("http")(_headers)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _no_such_page)
    app.add_exception_handler(AwsCallFailed, _s3_is_down)
    app.add_exception_handler(AirflowException, _s3_is_down)
    app.add_exception_handler(ContractError, _unreadable)
    return app


async def _headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _problem(request: Request, status: int, title: str, text: str, *, log_in: str = "") -> Response:
    root = settings.storage_root().rstrip("/")
    return render(request, "problem.html", root=root, status=status, title=title, text=text, log_in=log_in)


def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException | StarletteHTTPException):
        raise error
    title = HTTPStatus(error.status_code).phrase
    if error.status_code == HTTPStatus.UNAUTHORIZED:
        login = f"{base_path()}/auth/login"
        return _problem(request, error.status_code, "Not logged in", "Log in to Airflow, then come back.", log_in=login)
    if error.status_code == HTTPStatus.FORBIDDEN:
        return _problem(request, error.status_code, title, "Whoever may read the training DAG may read this page.")
    response = _problem(request, error.status_code, title, str(error.detail))
    response.headers.update(error.headers or {})
    return response


def _no_such_page(request: Request, _error: Exception) -> Response:
    return _problem(request, HTTPStatus.NOT_FOUND, "Not found", "There is nothing at this address.")


def _s3_is_down(request: Request, error: Exception) -> Response:
    log.warning("%s", error)
    return _problem(request, HTTPStatus.SERVICE_UNAVAILABLE, "S3 cannot be read just now", str(error))


def _unreadable(request: Request, error: Exception) -> Response:
    log.error("%s", error)
    return _problem(request, HTTPStatus.BAD_GATEWAY, UNREADABLE, str(error))
