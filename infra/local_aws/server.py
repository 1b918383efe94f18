"""One port for everything: our EMR, moto for the rest, and two addresses of our own."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from local_aws.calls import CallCounter, operation_name
from local_aws.emr.api import LEFT_TO_MOTO, TARGET, EmrApi
from local_aws.emr.driver import Host
from local_aws.emr.environment import Image
from local_aws.emr.recovery import end_what_was_alive
from local_aws.emr.store import ClusterStore
from local_aws.journal import Journal
from local_aws.s3.disk import S3Disk
from local_aws.s3.requests import is_s3
from local_aws.settings import Settings

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
log = logging.getLogger(__name__)

PRICES = "AWSPriceListService.GetProducts"
NO_PRICES: dict[str, Any] = {"FormatVersion": "aws_v1", "PriceList": []}
"""moto knows no prices either, and says so with a page of HTML and status 500."""


class LocalAws:
    """The WSGI application."""

    def __init__(self, settings: Settings) -> None:
        store = ClusterStore(settings.state_dir / "emr" / "clusters")
        host = Host(settings, store, Image(settings.state_dir / "emr" / "image"))
        end_what_was_alive(host)
        self._emr = EmrApi(host)
        self._calls = CallCounter()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._journal = Journal(settings.state_dir / "journal.jsonl")
        self._journal.replay(self._moto)
        # After the journal: what S3 kept is newer than what CloudFormation once made of a bucket.
        self._s3 = S3Disk(settings.state_dir / "s3")
        self._s3.reload()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith("/_local_aws/"):
            return self._own(path, start_response)
        operation = operation_name(environ, _form(environ))
        self._calls.count(operation, environ.get("HTTP_AUTHORIZATION", ""))
        name = operation.removeprefix(TARGET)
        if operation.startswith(TARGET) and name not in LEFT_TO_MOTO:
            status, answer = self._emr.answer(name, _body(environ), environ.get("HTTP_AUTHORIZATION", ""))
            return _json(start_response, status, answer, "application/x-amz-json-1.1")
        if operation == PRICES:
            return _json(start_response, 200, NO_PRICES, "application/x-amz-json-1.1")
        if is_s3(environ):
            return self._s3.answer(self._moto, environ, start_response)
        answered = self._journal.answer(self._moto, operation, environ, start_response)
        if operation.startswith("cloudformation."):
            self._s3.keep_buckets()
        return answered

    def _own(self, path: str, start_response: StartResponse) -> Iterable[bytes]:
        if path == "/_local_aws/health":
            return _json(start_response, 200, {"status": "ready"})
        if path == "/_local_aws/calls":
            return _json(start_response, 200, self._calls.snapshot())
        return _json(start_response, 404, {"error": f"no {path} here"})


class Handler(MotoRequestHandler):
    """Without a line of log for every request, which costs more than the request."""

    # One idle connection must not hold a thread for ever.
    timeout = 120

    def log_request(self, *_: object, **__: object) -> None:
        """Counted instead, see `calls.py`."""


def server(settings: Settings) -> BaseWSGIServer:
    """Bound, reloaded and ready for `serve_forever`."""
    return make_server(settings.host, settings.port, LocalAws(settings), threaded=True, request_handler=Handler)


def _body(environ: Environ) -> bytes:
    return bytes(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))


def _form(environ: Environ) -> bytes:
    """A form's body, read and put back."""
    if not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return b""
    body = _body(environ)
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _json(
    start_response: StartResponse, status: int, answer: dict[str, Any], kind: str = "application/json"
) -> Iterator[bytes]:
    body = json.dumps(answer).encode()
    text = {200: "200 OK", 400: "400 Bad Request", 404: "404 Not Found"}[status]
    start_response(text, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return iter([body])
