"""What the executor does in an evaluation: the model, then a shard at a time, then the scores."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import keras

from dermaflow_jobs.contract.dataset import Split
from dermaflow_jobs.contract.metrics import Metrics
from dermaflow_jobs.evaluate.predictions import Predictions, predict_records
from dermaflow_jobs.evaluate.report import score_splits
from dermaflow_jobs.evaluate.worker import EvaluateWorker
from dermaflow_jobs.models.saved import ModelFileError, load_model
from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.runtime.progress import ProgressReporter
from dermaflow_jobs.train.shards import local_shards


def evaluate_on(worker: EvaluateWorker) -> Metrics:
    manifest = worker.manifest
    with tempfile.TemporaryDirectory(prefix="dermaflow-evaluate-") as folder:
        path = Path(folder) / "model.keras"
        worker.store.download(worker.store.layout.model(worker.run_key), str(path))
        model, info = load_model(path)
        if (info.classes, info.image_size) != (manifest.classes, manifest.image_size):
            raise ModelFileError(
                f"model knows {info.classes} at {info.image_size} px,"
                f" the dataset has {manifest.classes} at {manifest.image_size} px",
                remedy="Run train again for this dataset.",
            )
        predictions = {split: _predict(worker, model, split, Path(folder)) for split in worker.splits}
    return Metrics(
        run_key=worker.run_key,
        dataset_id=manifest.dataset_id,
        classes=manifest.classes,
        image_size=manifest.image_size,
        model=info.architecture,
        synthetic=manifest.synthetic,
        train_images=manifest.images("train"),
        splits=score_splits(predictions, manifest.classes, temperature=info.temperature),
        created_at=datetime.now(UTC),
    )


def _predict(worker: EvaluateWorker, model: keras.Model, split: Split, folder: Path) -> Predictions:
    store, manifest, run_key = worker.store, worker.manifest, worker.run_key
    images = manifest.images(split)
    if not images:
        raise JobError(
            f"dataset {manifest.dataset_id} has no image in the {split} split",
            remedy=f"Raise {split}_share, or add images.",
        )
    progress, parts = ProgressReporter(store, run_key, "evaluate"), []
    for path in local_shards(store, manifest, split, folder):
        parts.append(predict_records(model, [path], manifest.image_size))
        progress.report(f"scoring {split}", sum(len(part) for part in parts), images, "images")
    predictions = Predictions.concatenate(parts)
    table = predictions.to_csv(manifest.classes).encode()
    store.put_bytes(store.layout.predictions(run_key, split), table, content_type="text/csv")
    return predictions
