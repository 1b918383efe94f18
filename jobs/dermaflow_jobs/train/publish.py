"""The chief's results: history.json and model.keras."""

from __future__ import annotations

from pathlib import Path

from dermaflow_jobs.models.registry import with_probabilities
from dermaflow_jobs.models.saved import ModelInfo, save_model
from dermaflow_jobs.train.epochs import EpochLoop
from dermaflow_jobs.train.worker import TrainWorker


def publish(worker: TrainWorker, loop: EpochLoop, folder: Path) -> None:
    store, manifest = worker.store, worker.manifest
    store.put(store.layout.history(worker.run_key), loop.history)
    info = ModelInfo(
        architecture=worker.spec.options.train.model,
        classes=manifest.classes,
        image_size=manifest.image_size,
        temperature=1.0,
        synthetic=manifest.synthetic,
        run_key=worker.run_key,
        dataset_id=manifest.dataset_id,
        code_id=worker.spec.code.code_id,
    )
    path = folder / "model.keras"
    save_model(with_probabilities(loop.kept_model(), temperature=info.temperature), path, info)
    store.upload(str(path), store.layout.model(worker.run_key))
