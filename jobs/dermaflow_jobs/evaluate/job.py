"""What the executor does in an evaluation: the model, then a shard at a time, then scores, tables and the card."""

from __future__ import annotations

import platform
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from dermaflow_jobs.contract.dataset import Split
from dermaflow_jobs.contract.metrics import History, Metrics
from dermaflow_jobs.contract.steps import TrainReport
from dermaflow_jobs.evaluate import figures
from dermaflow_jobs.evaluate.card import CardContents, card
from dermaflow_jobs.evaluate.champion import score_champion
from dermaflow_jobs.evaluate.predictions import Predictions, predict_records
from dermaflow_jobs.evaluate.report import score_splits
from dermaflow_jobs.evaluate.samples import Sample, choose, fetch
from dermaflow_jobs.evaluate.worker import EvaluateWorker
from dermaflow_jobs.models.saved import ModelFileError, load_model
from dermaflow_jobs.predict.ensemble import Ensemble
from dermaflow_jobs.predict.heat_map import occlusion, overlay
from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.runtime.progress import ProgressReporter
from dermaflow_jobs.train.choose import read_trials
from dermaflow_jobs.train.shards import local_shards

PACKAGES = ("tensorflow-cpu", "tensorflow", "keras", "numpy", "scikit-learn")


def evaluate_on(worker: EvaluateWorker) -> Metrics:
    with tempfile.TemporaryDirectory(prefix="dermaflow-evaluate-") as name:
        folder = Path(name)
        model = _load(worker, folder)
        progress = ProgressReporter(worker.store, worker.run_key, "evaluate")
        predictions = {split: _predict(worker, model, split, folder, progress) for split in worker.splits}
        metrics = _metrics(worker, model, predictions)
        rows = choose(predictions["valid"]) if worker.spec.options.evaluate.card_images else []
        paths = local_shards(worker.store, worker.manifest, "valid", folder)
        samples = fetch(predictions["valid"], rows, paths, worker.manifest.image_size)
        pictures = []
        for done, sample in enumerate(samples, start=1):
            pictures.append((sample, _heat_map(model, sample)))
            progress.report("drawing heat maps", done, len(samples), "images")
        score_champion(worker, predictions["valid"], folder, progress)
    _publish_card(worker, metrics, predictions, pictures)
    return metrics


def _load(worker: EvaluateWorker, folder: Path) -> Ensemble:
    manifest, path = worker.manifest, folder / "model.keras"
    worker.store.download(worker.store.layout.model(worker.run_key), str(path))
    model, info = load_model(path)
    if (info.classes, info.image_size) != (manifest.classes, manifest.image_size):
        raise ModelFileError(
            f"model knows {info.classes} at {info.image_size} px,"
            f" the dataset has {manifest.classes} at {manifest.image_size} px",
            remedy="Run train again for this dataset.",
        )
    return Ensemble((model,), info)


def _predict(
    worker: EvaluateWorker, model: Ensemble, split: Split, folder: Path, progress: ProgressReporter
) -> Predictions:
    store, manifest = worker.store, worker.manifest
    images = manifest.images(split)
    if not images:
        raise JobError(
            f"dataset {manifest.dataset_id} has no image in the {split} split",
            remedy=f"Raise {split}_share, or add images.",
        )
    parts: list[Predictions] = []
    for path in local_shards(store, manifest, split, folder):
        parts.append(predict_records(model.models[0], [path], manifest.image_size, model.info.decision_offsets))
        progress.report(f"scoring {split}", sum(len(part) for part in parts), images, "images")
    predictions = Predictions.concatenate(parts)
    table = predictions.to_csv(manifest.classes).encode()
    store.put_bytes(store.layout.predictions(worker.run_key, split), table, content_type="text/csv")
    return predictions


def _metrics(worker: EvaluateWorker, model: Ensemble, predictions: dict[Split, Predictions]) -> Metrics:
    manifest, store = worker.manifest, worker.store
    history = store.get(store.layout.history(worker.run_key), History)
    trials = read_trials(store, worker.run_key, worker.spec.options.sweep.sweep_trials)
    return Metrics(
        run_key=worker.run_key,
        dataset_id=manifest.dataset_id,
        classes=manifest.classes,
        image_size=manifest.image_size,
        model=model.info.architecture,
        synthetic=manifest.synthetic,
        train_images=manifest.images("train"),
        decision_offsets=model.info.decision_offsets,
        cross_validation=history.cross_validation,
        trials=tuple(report.trial for report in trials),
        splits=score_splits(predictions, manifest.classes, temperature=model.info.temperature),
        created_at=datetime.now(UTC),
    )


def _heat_map(model: Ensemble, sample: Sample) -> str:
    heat = occlusion(lambda images: _one_answer(model, images, sample), sample.pixels)
    return figures.png(overlay(sample.pixels, heat))


def _one_answer(model: Ensemble, images: np.ndarray, sample: Sample) -> np.ndarray:
    beside = np.repeat(sample.details[None], len(images), axis=0)
    return model.one_view(images, beside)[:, sample.predicted]


def _publish_card(
    worker: EvaluateWorker,
    metrics: Metrics,
    predictions: dict[Split, Predictions],
    samples: list[tuple[Sample, str]],
) -> None:
    store, run_key = worker.store, worker.run_key
    contents = CardContents(
        spec=worker.spec,
        manifest=worker.manifest,
        trained=store.get(store.layout.step_report(run_key, "train"), TrainReport),
        history=store.get(store.layout.history(run_key), History),
        metrics=metrics,
        predictions=predictions,
        samples=samples,
        versions=_versions(),
    )
    body = card(contents).encode()
    store.put_bytes(store.layout.model_card(run_key), body, content_type="text/html; charset=utf-8")


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except ModuleNotFoundError:  # TensorFlow's package is named differently by platform
            continue
    return found
