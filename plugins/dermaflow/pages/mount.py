"""What the plugin registers: where the pages hang in Airflow's web server and its navigation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

from airflow.sdk.configuration import conf

PREFIX: Final = "/dermaflow"
NAV: Final = "models"
"""Route of the pages in Airflow's frame: /plugin/models/…"""


Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Pages:
    """An ASGI app that is built at its first request: scheduler, triggerer and every task load the plugin too."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        from dermaflow.pages.app import pages_app

        await pages_app()(scope, receive, send)


def base_path() -> str:
    """Where Airflow itself hangs: empty, or `/airflow` behind a proxy."""
    return str(urlsplit(conf.get("api", "base_url", fallback="")).path).rstrip("/")


def fastapi_apps() -> list[dict[str, Any]]:
    return [{"app": Pages(), "url_prefix": PREFIX, "name": "dermaflow results"}]


def external_views() -> list[dict[str, Any]]:
    """`Models` in the navigation, and a tab `Results` on each DAG run; both show a page in a frame."""
    here = f"{base_path()}{PREFIX}"
    icon = {"icon": f"{here}/static/models.svg", "icon_dark_mode": f"{here}/static/models-dark.svg"}
    return [
        {"name": "Models", "href": f"{here}/", "destination": "nav", "url_route": NAV, "nav_top_level": True, **icon},
        {
            "name": "Results",
            "href": f"{here}/dag-run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "results",
            **icon,
        },
    ]
