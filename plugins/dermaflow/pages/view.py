"""From values to a response: templates with autoescape, links that keep the storage root, an ETag."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dermaflow import settings
from dermaflow.pages.mount import base_path
from dermaflow_jobs.contract.metrics import Interval

HERE: Final = Path(__file__).parent


def render(request: Request, template: str, *, root: str, status: int = 200, **values: Any) -> Response:
    """A page. The browser asks again each time, and is told when nothing has changed."""
    page = Page(request, root)
    html = ENVIRONMENT.get_template(template).render(page=page, root=root, **values)
    return answer(request, html.encode(), status=status)


def answer(request: Request, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    kept = (headers or {}) | {"ETag": etag}
    if status == 200 and etag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=kept)
    return Response(body, status_code=status, headers=kept, media_type="text/html; charset=utf-8")


class Page:
    """What every template needs to know of the request."""

    def __init__(self, request: Request, root: str) -> None:
        self.request = request
        self.root = root
        self.framed = request.headers.get("Sec-Fetch-Dest") in {"iframe", "frame"}
        """Shown inside Airflow's own page, where a link to Airflow would nest it in itself."""

    def link(self, route: str, /, **path: str) -> str:
        return f"{self.path(route, **path)}{self.query()}"

    def path(self, route: str, /, **path: str) -> str:
        return f"{self.request.scope.get('root_path', '')}{self.request.app.url_path_for(route, **path)}"

    def query(self, **more: str) -> str:
        other = {} if self.root == settings.storage_root().rstrip("/") else {"root": self.root}
        return f"?{urlencode(other | more)}" if other or more else ""

    def compare(self, *run_keys: str) -> str:
        pairs = [("run", key) for key in run_keys]
        return f"{self.link('compare')}{'&' if self.query() else '?'}{urlencode(pairs)}"

    def airflow_run(self, dag_id: str, run_id: str) -> str:
        return f"{base_path()}/dags/{dag_id}/runs/{run_id}"


def score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def interval(value: Interval | None) -> str:
    return "" if value is None else f"{value.low:.2f} – {value.high:.2f}"


def signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def usd(value: float | None) -> str:
    return "–" if value is None else f"{value:,.2f} USD"


def when(value: datetime | None) -> str:
    return "–" if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def day(value: datetime | None) -> str:
    return "–" if value is None else f"{value.astimezone(UTC):%Y-%m-%d}"


def words(name: str) -> str:
    return name.replace("_", " ")


def run_name(run_key: str) -> str:
    """Without the DAG's id; a date as people write one."""
    name = run_key.partition("=")[2] or run_key
    return re.sub(r"^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-\d\dZ$", r"\1 \2:\3", name)


ENVIRONMENT = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters |= {
    "score": score, "interval": interval, "signed": signed, "usd": usd, "when": when, "day": day,
    "words": words, "run_name": run_name, "count": lambda value: f"{value:,}",
}  # fmt: skip
