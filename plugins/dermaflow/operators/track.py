"""Tells an MLflow tracking server of a finished training."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from dermaflow import settings
from dermaflow.errors import ResultMissing, TrackingFailed
from dermaflow.operators.base import AwsOperator, ValueArg
from dermaflow.storage import Storage
from dermaflow.tracking import MODEL_FOLDER, connect, track, tracked
from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.metrics import History
from dermaflow_jobs.contract.run_spec import RunSpec


class TrackOperator(AwsOperator):
    """Write the run's parameters, scores, curves, artefacts and model to MLflow; return the id of MLflow's run.

    Trying again adds nothing: there is one MLflow run for each run key. The training has succeeded already, so where
    the server cannot be reached the last try is skipped instead of failed.

    .. code-block:: python

        track = TrackOperator(task_id="track", run_spec=check_inputs.output, record=gather_metrics.output)

    :param run_spec: a contract RunSpec as a dict.
    :param record: a contract LedgerRecord as a dict.
    :param tracking_uri: `https://…`, or `airflow:<connection id>`; default: DERMAFLOW_MLFLOW_URI.
    """

    template_fields: Sequence[str] = (*AwsOperator.template_fields, "run_spec", "record", "tracking_uri")

    def __init__(self, *, run_spec: ValueArg, record: ValueArg, tracking_uri: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run_spec: Any = run_spec
        self.record: Any = record
        self.tracking_uri = tracking_uri

    def execute(self, context: Context) -> str:
        spec, record = RunSpec.parse(self.run_spec), LedgerRecord.parse(self.record)
        uri, storage = self.tracking_uri or settings.mlflow_uri(), self.storage(spec.root)
        history = storage.find(storage.layout.history(record.run_key), History)
        with tempfile.TemporaryDirectory(prefix="dermaflow-track-") as folder:
            _fetch(storage, record.run_key, Path(folder))
            try:
                client = connect(uri)
                run_id = track(client, tracked(spec, record, history or History(epochs=(), best_epoch=0)), Path(folder))
            except Exception as error:
                raise self._failed(context, uri, error) from error
        self.log.info("%s is run %s of MLflow at %s", record.run_key, run_id, uri)
        return run_id

    def _failed(self, context: Context, uri: str, error: Exception) -> Exception:
        told = TrackingFailed(
            attempted="tried to track the run at",
            resource=uri,
            reason=f"{type(error).__name__}: {error}",
            remedy="see whether the server can be reached and lets us in, then clear this task; the run's own results"
            " are in S3 all the same",
        )
        ti = context["ti"]
        if ti.try_number <= ti.max_tries:
            return told
        self.log.error("%s", told)
        return AirflowSkipException("not tracked: the last try failed too, see above")


def _fetch(storage: Storage, run_key: str, folder: Path) -> None:
    """Artefacts of the run to local disk. Predictions stay where they are: they name single images."""
    layout = storage.layout
    needed = {
        f"{MODEL_FOLDER}/model.keras": layout.model(run_key),
        "metrics.json": layout.metrics(run_key),
        "run.json": layout.run_spec(run_key),
    }
    others = {"history.json": layout.history(run_key), "model_card.html": layout.model_card(run_key)}
    for name, key in (needed | others).items():
        found = storage.read(key)
        if found is None and name in needed:
            raise ResultMissing(
                attempted="looked for an artefact to track at",
                resource=storage.layout.uri(key),
                reason="there is no such object",
                remedy="clear the tasks train and evaluate, which write it",
            )
        if found:
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(found.body)
