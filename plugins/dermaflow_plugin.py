"""Registers with Airflow what it does not find by import. The only file here that Airflow's plugin loader runs."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from dermaflow.links import EmrConsoleLink


class DermaflowPlugin(AirflowPlugin):
    name = "dermaflow"
    operator_extra_links = [EmrConsoleLink()]  # noqa: RUF012 - Airflow's own declaration is a plain list
