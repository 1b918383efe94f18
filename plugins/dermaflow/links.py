"""Links from a task to where its cluster and its results can be seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from airflow.providers.amazon.aws.links.emr import EmrClusterLink
from airflow.sdk import BaseOperator, BaseOperatorLink
from airflow.sdk.configuration import conf
from airflow.sdk.types import TaskInstanceKey

from dermaflow import settings
from dermaflow.pages.mount import NAV, PREFIX


class EmrConsoleLink(EmrClusterLink):
    """The cluster in AWS's console."""

    name = "EMR cluster"
    key = "dermaflow_cluster"


def results_url(run_key: str, *, root: str | None = None) -> str:
    """A run's page, in Airflow's frame. `root`: the run's storage root, where it is not the installation's."""
    return _framed(f"/runs/{run_key}", root)


def card_url(run_key: str, *, root: str | None = None) -> str:
    """A run's model card, in Airflow's frame."""
    return _framed(f"/runs/{run_key}/card", root)


def dataset_url(dataset_id: str, *, root: str | None = None) -> str:
    return _framed(f"/datasets/{dataset_id}", root)


def _framed(path: str, root: str | None) -> str:
    base = conf.get("api", "base_url", fallback="").rstrip("/")
    query = f"?{urlencode({'root': root})}" if root and root != settings.storage_root() else ""
    return f"{base}/plugin/{NAV}{PREFIX}{path}{query}"


class ResultsLink(BaseOperatorLink):
    """The run's page, from any task that was given a run spec or a ledger record."""

    name = "Results"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow names it
        """Called when the task has ended, with its fields rendered; empty where it was given neither."""
        spec = getattr(operator, "run_spec", None)
        if isinstance(spec, Mapping):
            return results_url(_text(spec, "identity", "run_key"), root=_text(spec, "root"))
        record = getattr(operator, "record", None)
        if isinstance(record, Mapping):
            return results_url(_text(record, "run_key"), root=str(getattr(operator, "root", "")))
        return ""


def _text(value: Mapping[str, Any], *path: str) -> str:
    for name in path[:-1]:
        value = value[name]
    return str(value[path[-1]])
