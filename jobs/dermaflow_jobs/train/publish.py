"""The chief's results: history.json and model.keras."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import keras

from dermaflow_jobs.evaluate.calibration import fit_temperature
from dermaflow_jobs.models.registry import as_classifier
from dermaflow_jobs.models.saved import ModelInfo, save_model
from dermaflow_jobs.train.learn import Learned
from dermaflow_jobs.train.problem import Problem
from dermaflow_jobs.train.validation import Validation
from dermaflow_jobs.train.worker import TrainWorker


def publish(worker: TrainWorker, problem: Problem, learned: Learned, folder: Path) -> None:
    store, manifest, options = worker.store, worker.manifest, problem.options
    store.put(worker.history_key, learned.history)
    classifier = partial(
        as_classifier, *learned.networks, eight_views=options.eight_views, second_crop=options.second_crop
    )
    temperature = _temperature(classifier(), problem)
    info = ModelInfo(
        architecture=options.model,
        classes=manifest.classes,
        image_size=manifest.image_size,
        temperature=temperature,
        eight_views=options.eight_views,
        second_crop=options.second_crop,
        use_age_sex=options.use_age_sex,
        colour_constancy=worker.spec.options.preprocess.colour_constancy,
        synthetic=manifest.synthetic,
        run_key=worker.run_key,
        dataset_id=manifest.dataset_id,
        code_id=worker.spec.code.code_id,
    )
    path = folder / "model.keras"
    save_model(classifier(temperature=temperature), path, info)
    store.upload(str(path), worker.model_key)


def _temperature(classifier: keras.Model, problem: Problem) -> float:
    """Fitted on the validation split, to the logits that the finished model will scale."""
    logits = keras.Model(classifier.input, classifier.get_layer("temperature").input)
    return fit_temperature(*Validation(logits, problem).logits())
