"""The chief's results: history.json and model.keras."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import keras
import numpy as np
from scipy.special import softmax

from dermaflow_jobs.evaluate.calibration import fit_temperature
from dermaflow_jobs.models.decision import fit_offsets
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
    logits, labels = _validated(classifier(), problem)
    temperature = fit_temperature(logits, labels)
    info = ModelInfo(
        architecture=options.model,
        classes=manifest.classes,
        image_size=manifest.image_size,
        temperature=temperature,
        eight_views=options.eight_views,
        second_crop=options.second_crop,
        use_age_sex=options.use_age_sex,
        decision_offsets=_offsets(softmax(logits / temperature, axis=1), labels, problem),
        colour_constancy=worker.spec.options.preprocess.colour_constancy,
        synthetic=manifest.synthetic,
        run_key=worker.run_key,
        dataset_id=manifest.dataset_id,
        code_id=worker.spec.code.code_id,
    )
    path = folder / "model.keras"
    save_model(classifier(temperature=temperature), path, info)
    store.upload(str(path), worker.model_key)


def _validated(classifier: keras.Model, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Of the validation split: the logits that the finished model will scale, and labels."""
    logits = keras.Model(classifier.input, classifier.get_layer("temperature").input)
    return Validation(logits, problem).logits()


def _offsets(probabilities: np.ndarray, labels: np.ndarray, problem: Problem) -> tuple[float, ...]:
    if problem.options.decision == "likeliest":
        return ()
    return fit_offsets(probabilities, labels, [files.records for files in problem.train])
