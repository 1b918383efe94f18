"""Runs in MLflow too, by its real server; without an address nothing of it is there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from aws_account import REPO, Account
from fake_run import FakeRun
from mlflow_server import server
from proxy import free_port
from test_told import record

from dermaflow import run as runs
from dermaflow import tracking
from dermaflow.errors import TrackingFailed
from dermaflow.operators.track import TrackOperator
from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.metrics import Epoch, History
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.run_spec import CodeRef, RunSpec
from dermaflow_jobs.contract.s3_layout import Layout

pytestmark = pytest.mark.timeout(600)  # the first time the server is installed


@pytest.fixture(scope="module")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    kept = dict(os.environ)
    with server(tmp_path_factory.mktemp("mlflow")) as url:
        yield url
    os.environ.clear()
    os.environ |= kept


def finished(account: Account, bucket: str, run: FakeRun) -> tuple[RunSpec, LedgerRecord]:
    """What a run leaves in S3, and its record."""
    code = CodeRef(code_id="c" * 64, environment_id="e" * 64)
    spec = runs.run_spec(run.context(), root=f"s3://{bucket}", code=code, options=RunOptions())
    found, layout = record(spec.identity.run_key), Layout.of(spec.root)
    epochs = tuple(
        Epoch(epoch=n, loss=1 / n, valid_loss=1 / n, valid_accuracy=n / 10, mean_auc=None if n == 1 else 0.5, seconds=1)
        for n in (1, 2, 3)
    )
    bodies = {
        layout.model(found.run_key): b"a model",
        layout.metrics(found.run_key): found.metrics.to_json().encode(),
        layout.run_spec(found.run_key): spec.to_json().encode(),
        layout.history(found.run_key): History(epochs=epochs, best_epoch=3).to_json().encode(),
        layout.model_card(found.run_key): b"<html>",
        layout.predictions(found.run_key, "valid"): b"image_id\npatient 7\n",
    }
    for key, body in bodies.items():
        account.s3.put_object(Bucket=bucket, Key=key, Body=body)
    return spec, found


def execute(
    run: FakeRun, monkeypatch: pytest.MonkeyPatch, uri: str, spec: RunSpec, found: LedgerRecord, tries: int = 1
) -> str:
    context = run.context()
    context["ti"].try_number, context["ti"].max_tries = tries, 2
    monkeypatch.setattr(run, "context", lambda: context)
    values = {"run_spec": spec.model_dump(mode="json"), "record": found.model_dump(mode="json")}
    return str(run.execute(TrackOperator(task_id="track", tracking_uri=uri, **values)))


def test_a_run_is_tracked_once_however_often_it_is_told(
    account: Account, bucket: str, run: FakeRun, mlflow_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parameters, scores, a curve, artefacts, a model version; again after a lost answer: the same, once."""
    spec, found = finished(account, bucket, run)
    with monkeypatch.context() as patch:
        patch.setattr(tracking, "_register", lambda *_: (_ for _ in ()).throw(ConnectionResetError("gone")))
        with pytest.raises(TrackingFailed, match="gone"):
            execute(run, patch, mlflow_url, spec, found)
    run_id = execute(run, monkeypatch, mlflow_url, spec, found)
    assert execute(run, monkeypatch, mlflow_url, spec, found) == run_id

    client = tracking.connect(mlflow_url)
    experiment = client.get_experiment_by_name("lesions")
    (kept,) = client.search_runs([experiment.experiment_id])
    assert kept.info.status == "FINISHED"
    assert kept.data.params["epochs"] == "20"
    assert kept.data.metrics["valid_mean_auc"] == 0.8
    assert kept.data.tags["dermaflow.run_key"] == found.run_key
    curve = [(point.step, point.value) for point in client.get_metric_history(run_id, "epoch_loss")]
    assert curve == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]
    assert [point.step for point in client.get_metric_history(run_id, "epoch_mean_auc")] == [2, 3]
    assert {one.path for one in client.list_artifacts(run_id)} == {
        "history.json", "metrics.json", "model", "model_card.html", "run.json",
    }  # fmt: skip
    (version,) = client.search_model_versions(f"name = '{tracking.MODEL_NAME}'")
    assert (version.run_id, version.version) == (run_id, "1")
    path = Path(client.download_artifacts(run_id, "model/model.keras"))
    assert path.read_bytes() == b"a model"

    later = found.model_copy(update={"recorded_at": datetime(2026, 11, 8, tzinfo=UTC)})
    again = execute(run, monkeypatch, mlflow_url, spec, later)
    (only,) = client.search_runs([experiment.experiment_id])
    assert only.info.run_id == again != run_id


def test_a_server_that_is_away_fails_no_training(
    account: Account, bucket: str, run: FakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried again while there are tries; the last one is skipped, with what to do."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    spec, found = finished(account, bucket, run)
    nowhere = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(TrackingFailed, match="clear this task"):
        execute(run, monkeypatch, nowhere, spec, found)
    with pytest.raises(AirflowSkipException):
        execute(run, monkeypatch, nowhere, spec, found, tries=3)


def test_a_password_comes_by_connection_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """In an address it would be shown wherever addresses are."""
    with pytest.raises(ValueError, match="put it into a connection") as error:
        tracking.connect("https://me:hidden@mlflow.example.org")
    assert "hidden" not in str(error.value)
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    connection = {"conn_type": "http", "host": "mlflow.example.org", "schema": "https", "port": 8443}
    monkeypatch.setenv("AIRFLOW_CONN_TRACKER", json.dumps(connection | {"login": "me", "password": "hidden"}))
    client: Any = tracking.connect("airflow:tracker")
    assert client.tracking_uri == "https://mlflow.example.org:8443"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "hidden"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_the_dag_tracks_only_where_there_is_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one the task is not there at all."""
    from airflow.dag_processing.dagbag import DagBag

    def tasks() -> set[str]:
        return set(DagBag(REPO / "dags", load_op_links=False).dags["lesion_training"].task_ids)

    assert "track" not in tasks()
    monkeypatch.setenv("DERMAFLOW_MLFLOW_URI", "https://mlflow.example.org")
    assert "track" in tasks()
