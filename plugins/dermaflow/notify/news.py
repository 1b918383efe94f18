"""What a message says: which run, what came of it, what it cost, where to look.

Scores, ids and counts only. No parameter, no log line, no exception's text: those may hold what no channel should.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from airflow.sdk import Context
from airflow.sdk.configuration import conf

from dermaflow import settings
from dermaflow.aws import emr_hook, once_client, s3_hook
from dermaflow.emr.clusters import ClusterApi
from dermaflow.emr.states import CLUSTER_OVER, CLUSTER_PAID
from dermaflow.links import card_url
from dermaflow.notify.addresses import Event
from dermaflow.notify.message import Message
from dermaflow.run import owner_of, run_key_of
from dermaflow.settings import AWS_CONN_ID
from dermaflow.storage import Storage
from dermaflow_jobs.contract.champion import Champion
from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.contract.steps import ScoreReport

log = logging.getLogger(__name__)
REAPED: Final = "reaped_clusters"
"""Key of the context under which ReapClustersOperator hands its rows to notifiers."""
Facts = Iterable[tuple[str, str | None]]


def compose(event: Event, context: Context | Mapping[str, Any]) -> Message:
    told: dict[Event, Callable[[Mapping[str, Any]], Message]] = {
        "success": _succeeded,
        "failure": _failed,
        "approval": _wanted,
        "reaped": _reaped,
    }
    return told[event](dict(context))


def _succeeded(context: Mapping[str, Any]) -> Message:
    dag_id, run_id = _names(context)
    facts = (
        ("run", run_id),
        ("result", _known(lambda: result(context))),
        ("model card", _known(lambda: model_card(context))),
        ("cost", _known(lambda: cost(context))),
        ("took", _took(context)),
    )
    return _message(f"{dag_id}: success", facts, run_link(context))


def _failed(context: Mapping[str, Any]) -> Message:
    dag_id, run_id = _names(context)
    facts = (
        ("run", run_id),
        ("failed", _known(lambda: ", ".join(failed_tasks(context)) or str(context.get("reason", "")))),
        ("cost", _known(lambda: cost(context))),
        ("took", _took(context)),
    )
    return _message(f"{dag_id}: failed", facts, run_link(context))


def _wanted(context: Mapping[str, Any]) -> Message:
    dag_id, run_id = _names(context)
    facts = (
        ("run", run_id),
        ("result", _known(lambda: result(context))),
        ("model card", _known(lambda: model_card(context))),
    )
    task = f"{run_link(context)}/tasks/{quote(str(context['ti'].task_id))}/required_actions"
    return _message(f"{dag_id}: an approval is wanted", facts, task)


def _reaped(context: Mapping[str, Any]) -> Message:
    rows: Sequence[Mapping[str, str]] = context[REAPED]
    count = "a cluster" if len(rows) == 1 else f"{len(rows)} clusters"
    facts = [(f"{row['cluster']} ({row['name']})", f"{row['why']}; {row['cost']}") for row in rows]
    return _message(f"{count} had to be ended by the reaper", facts, run_link(context))


def result(context: Mapping[str, Any]) -> str | None:
    """Of a training run its score, of a scoring run its counts; None where it left neither."""
    storage, run_key = _storage(context), run_key_of(context)
    record = storage.find(storage.layout.ledger_run(run_key), LedgerRecord)
    if record:
        champion = storage.find(storage.layout.champion(), Champion)
        return f"{record.summary()}{'; it is the champion' if champion and champion.run_key == run_key else ''}"
    report = storage.find(storage.layout.step_report(run_key, "score"), ScoreReport)
    return report.summary() if report else None


def model_card(context: Mapping[str, Any]) -> str | None:
    """Its page; None where the run made no model."""
    storage, run_key = _storage(context), run_key_of(context)
    there = storage.exists(storage.layout.model_card(run_key))
    return card_url(run_key, root=str(context["params"]["root"])) if there else None


def cost(context: Mapping[str, Any]) -> str | None:
    """Of all clusters that the run has had; None where it had none."""
    hook, owner = emr_hook(AWS_CONN_ID, None), owner_of(context)
    api = ClusterApi(hook.conn, once_client(hook))
    clusters = api.of_run(owner.deployment, owner.run_key, states=(*CLUSTER_PAID, *CLUSTER_OVER))
    return "; ".join(f"{cluster.id}: {api.account(cluster.id).text()}" for cluster in clusters) or None


def failed_tasks(context: Mapping[str, Any]) -> list[str]:
    dag_id, run_id = _names(context)
    states = context["ti"].get_task_states(dag_id=dag_id, run_ids=[run_id]).get(run_id, {})
    return [task_id for task_id, state in states.items() if state == "failed"]


def run_link(context: Mapping[str, Any]) -> str:
    dag_id, run_id = _names(context)
    base = str(conf.get("api", "base_url", fallback="http://localhost:8080")).rstrip("/")
    return f"{base}/dags/{quote(dag_id)}/runs/{quote(run_id, safe='')}"


def _storage(context: Mapping[str, Any]) -> Storage:
    return Storage(Layout.of(str(context["params"]["root"])), s3_hook(AWS_CONN_ID, None).conn)


def _names(context: Mapping[str, Any]) -> tuple[str, str]:
    """Airflow gives callbacks a dag_run only where it knows a task instance of it."""
    run = context.get("dag_run")
    return (run.dag_id, run.run_id) if run else (context["dag"].dag_id, context["run_id"])


def _took(context: Mapping[str, Any]) -> str | None:
    started = getattr(context.get("dag_run"), "start_date", None)
    if started is None:
        return None
    return f"{(datetime.now(UTC) - started).total_seconds() / 60:.0f} min"


def _known(look: Callable[[], str | None]) -> str | None:
    """A message with a gap is better than none."""
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - whatever AWS or Airflow raises
        log.warning("left out of the message: %s: %s", type(error).__name__, error)
        return None


def _message(subject: str, facts: Facts, link: str) -> Message:
    title = f"Dermaflow {settings.deployment()}: {subject}"
    return Message(title, tuple((name, value) for name, value in facts if value), link)
