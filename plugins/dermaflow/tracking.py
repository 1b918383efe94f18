"""A run as MLflow knows it: parameters, scores, curves, artefacts and a version of the registered model.

MLflow is a second place to look, never the one that decides: which model is the champion is said by
`models/champion.json` alone. One MLflow run a run key, found by its tag, so that trying again adds nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from airflow.sdk import BaseHook, Connection

from dermaflow.form import flat
from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.metrics import History
from dermaflow_jobs.contract.run_spec import RunSpec

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

MODEL_NAME: Final = "lesion-classifier"
RUN_KEY: Final = "dermaflow.run_key"
RECORDED_AT: Final = "dermaflow.recorded_at"
MODEL_FOLDER: Final = "model"
_FROM_CONNECTION: Final = "airflow:"
_QUIET: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # it would tell its makers of our runs
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True)
class Tracked:
    """All that is told of a run, but for files."""

    experiment: str
    name: str
    recorded_ms: int
    params: Mapping[str, str]
    scores: Mapping[str, float]
    curves: tuple[tuple[int, Mapping[str, float]], ...]
    """Epoch and its figures."""
    tags: Mapping[str, str]


def tracked(spec: RunSpec, record: LedgerRecord, history: History) -> Tracked:
    metrics = record.metrics
    return Tracked(
        experiment=spec.identity.dag_id,
        name=record.run_key,
        recorded_ms=int(record.recorded_at.timestamp() * 1000),
        params={name: str(value) for name, value in flat(spec.options).items()},
        scores=dict(_scores(record)),
        curves=tuple(
            (epoch.epoch, _known({f"epoch_{name}": getattr(epoch, name) for name in _CURVES}))
            for epoch in history.epochs
        ),
        tags={
            RUN_KEY: record.run_key,
            RECORDED_AT: record.recorded_at.isoformat(),
            "dermaflow.dataset_id": metrics.dataset_id,
            "dermaflow.code_id": record.code_id,
            "dermaflow.root": spec.root,
            "dermaflow.synthetic": str(metrics.synthetic).lower(),
            "mlflow.note.content": f"{record.summary()}. Not for clinical use.",
        },
    )


_CURVES: Final = ("loss", "valid_loss", "valid_accuracy", "mean_auc")


def _scores(record: LedgerRecord) -> Iterator[tuple[str, float]]:
    """`valid_mean_auc`, `valid_auc_melanoma`, `valid_mean_auc_low`, …"""
    yield "train_images", record.metrics.train_images
    for split, found in record.metrics.splits.items():
        plain = {
            "images": found.images,
            "accuracy": found.accuracy,
            "balanced_accuracy": found.balanced_accuracy,
            "mean_auc": found.mean_auc,
            "isic2017_mean_auc": found.isic2017_mean_auc,
            **{f"auc_{name}": value for name, value in found.auc.items()},
            **{f"sensitivity_{name}": value for name, value in found.sensitivity.items()},
            **{f"specificity_{name}": value for name, value in found.specificity.items()},
        }
        for name, interval in found.intervals.items():
            plain |= {f"{name.replace(':', '_')}_low": interval.low, f"{name.replace(':', '_')}_high": interval.high}
        yield from ((f"{split}_{name}", value) for name, value in _known(plain).items())


def _known(figures: Mapping[str, float | None]) -> dict[str, float]:
    return {name: float(value) for name, value in figures.items() if value is not None}


def connect(uri: str) -> MlflowClient:
    """Raises ValueError for an address that carries a password: it would be shown where addresses are shown."""
    os.environ.update({name: value for name, value in _QUIET.items() if name not in os.environ})
    address = uri
    if uri.startswith(_FROM_CONNECTION):
        connection = BaseHook.get_connection(uri.removeprefix(_FROM_CONNECTION))
        address = _address(connection)
        _log_in(connection)
    elif urlsplit(uri).password:
        raise ValueError("DERMAFLOW_MLFLOW_URI holds a password; put it into a connection and write airflow:<its id>")
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=address, registry_uri=address)


def _address(connection: Connection) -> str:
    host = connection.host or ""
    if "://" in host:
        return host if connection.port is None else f"{host}:{connection.port}"
    port = f":{connection.port}" if connection.port else ""
    return f"{connection.schema or 'https'}://{host}{port}"


def _log_in(connection: Connection) -> None:
    """By environment, the one way that MLflow's client has; a token where there is no user."""
    if connection.login:
        os.environ["MLFLOW_TRACKING_USERNAME"] = connection.login
        os.environ["MLFLOW_TRACKING_PASSWORD"] = connection.password or ""
    elif connection.password:
        os.environ["MLFLOW_TRACKING_TOKEN"] = connection.password


def track(client: MlflowClient, run: Tracked, files: Path) -> str:
    """Write all of it; the id of MLflow's run. `files` is a folder of artefacts, the model in a folder `model`."""
    found = _obtain(client, run)
    run_id = str(found.info.run_id)
    _log(client, run_id, run)
    client.log_artifacts(run_id, str(files))
    _register(client, found, run)
    client.set_terminated(run_id, "FINISHED", run.recorded_ms)
    return run_id


def _obtain(client: MlflowClient, run: Tracked) -> Run:
    """The run of this key, as an earlier try left it. One of an earlier pass over the same date makes room."""
    experiment = client.get_experiment_by_name(run.experiment)
    experiment_id = experiment.experiment_id if experiment else _create_experiment(client, run.experiment)
    wanted = f"tags.`{RUN_KEY}` = '{run.tags[RUN_KEY]}'"
    for found in client.search_runs([experiment_id], wanted):
        if found.data.tags.get(RECORDED_AT) == run.tags[RECORDED_AT]:
            return found
        client.delete_run(found.info.run_id)
    return client.create_run(experiment_id, start_time=run.recorded_ms, tags=dict(run.tags), run_name=run.name)


def _create_experiment(client: MlflowClient, name: str) -> str:
    """Runs of several DAG runs may meet here."""
    from mlflow.exceptions import MlflowException

    try:
        return str(client.create_experiment(name))
    except MlflowException:
        there = client.get_experiment_by_name(name)
        if there is None:
            raise
        return str(there.experiment_id)


def _log(client: MlflowClient, run_id: str, run: Tracked) -> None:
    """The same time stamps at every try, so that MLflow keeps one point of each."""
    from mlflow.entities import Metric, Param

    points = [Metric(name, value, run.recorded_ms, 0) for name, value in run.scores.items()]
    points += [
        Metric(name, value, run.recorded_ms, epoch) for epoch, figures in run.curves for name, value in figures.items()
    ]
    client.log_batch(run_id, params=[Param(name, value) for name, value in run.params.items()])
    for first in range(0, len(points), 1000):  # MLflow takes no more at once
        client.log_batch(run_id, metrics=points[first : first + 1000])


def _register(client: MlflowClient, found: Run, run: Tracked) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(MODEL_NAME, description="Written by Dermaflow. Not for clinical use.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    run_id = found.info.run_id
    if client.search_model_versions(f"run_id = '{run_id}'"):
        return
    note = "A Keras file with its classes and image size inside; load it with python -m dermaflow_jobs.predict."
    source = f"{found.info.artifact_uri}/{MODEL_FOLDER}"
    tags: dict[str, Any] = {name: run.tags[name] for name in (RUN_KEY, "dermaflow.dataset_id", "dermaflow.synthetic")}
    client.create_model_version(MODEL_NAME, source, run_id=run_id, tags=tags, description=note)
