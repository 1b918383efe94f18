"""Registers with Airflow what it does not find by import. The only file here that Airflow's plugin loader runs."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from dermaflow import pool_listener
from dermaflow.links import EmrConsoleLink, ResultsLink
from dermaflow.pages import mount


class DermaflowPlugin(AirflowPlugin):
    name = "dermaflow"
    operator_extra_links = [EmrConsoleLink(), ResultsLink()]  # noqa: RUF012 - Airflow's own declarations are plain lists
    fastapi_apps = mount.fastapi_apps()
    external_views = mount.external_views()
    listeners = [pool_listener]  # noqa: RUF012
