"""The chief's results: history.json and model.keras."""

from __future__ import annotations

from pathlib import Path

import keras

from dermaflow_jobs.evaluate.calibration import fit_temperature
from dermaflow_jobs.models.registry import as_classifier
from dermaflow_jobs.models.saved import ModelInfo, save_model
from dermaflow_jobs.train.epochs import EpochLoop
from dermaflow_jobs.train.problem import Problem
from dermaflow_jobs.train.validation import Validation
from dermaflow_jobs.train.worker import TrainWorker


def publish(worker: TrainWorker, loop: EpochLoop, folder: Path) -> None:
    store, manifest, options = worker.store, worker.manifest, worker.spec.options.train
    store.put(store.layout.history(worker.run_key), loop.history)
    network = loop.kept_model()
    temperature = _temperature(as_classifier(network, eight_views=options.eight_views), loop.training.problem)
    info = ModelInfo(
        architecture=options.model,
        classes=manifest.classes,
        image_size=manifest.image_size,
        temperature=temperature,
        eight_views=options.eight_views,
        colour_constancy=worker.spec.options.preprocess.colour_constancy,
        synthetic=manifest.synthetic,
        run_key=worker.run_key,
        dataset_id=manifest.dataset_id,
        code_id=worker.spec.code.code_id,
    )
    path = folder / "model.keras"
    save_model(as_classifier(network, temperature=temperature, eight_views=options.eight_views), path, info)
    store.upload(str(path), store.layout.model(worker.run_key))


def _temperature(classifier: keras.Model, problem: Problem) -> float:
    """Fitted on the validation split, to the logits that the finished model will scale."""
    logits = keras.Model(classifier.input, classifier.get_layer("temperature").input)
    return fit_temperature(*Validation(logits, problem).logits())
