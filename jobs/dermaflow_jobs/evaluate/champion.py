"""What the present champion says of the challenger's validation split: same images, so that the two can be compared.

Images that the champion was trained on are left out, and so is every image that belongs together with one of them (a
lesion, a patient, near-duplicates): of those it would know the answer. The control plane compares, from the two tables.
"""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from dermaflow_jobs.contract.champion import Champion
from dermaflow_jobs.contract.dataset import DatasetManifest, Split
from dermaflow_jobs.evaluate.predictions import BATCH, Predictions, predict_records
from dermaflow_jobs.evaluate.worker import EvaluateWorker
from dermaflow_jobs.models.saved import ModelFileError, load_model
from dermaflow_jobs.predict.ensemble import Ensemble
from dermaflow_jobs.preprocess.decode import DecodeOptions, Undecodable, decode
from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.runtime.progress import ProgressReporter
from dermaflow_jobs.train.shards import local_shards

log = logging.getLogger(__name__)
FETCHERS = 8


def score_champion(worker: EvaluateWorker, challenger: Predictions, folder: Path, progress: ProgressReporter) -> bool:
    """Leave a CSV like the challenger's own. False where there is no champion, or none that can be asked.

    A champion that is damaged ends no run: promotion says that there was nothing to compare with.
    """
    champion = worker.store.find(worker.store.layout.champion(), Champion)
    if champion is None:
        return False
    try:
        answers = ask(worker, champion, challenger, folder, progress)
    except JobError as error:
        log.warning("the champion %s cannot be asked: %s", champion.name, error)
        return False
    key = worker.store.layout.champion_predictions(worker.run_key, champion.name)
    worker.store.put_bytes(key, answers.to_csv(worker.manifest.classes).encode(), content_type="text/csv")
    return True


def ask(
    worker: EvaluateWorker, champion: Champion, challenger: Predictions, folder: Path, progress: ProgressReporter
) -> Predictions:
    """The champion's answers to all images of the validation split that are new to it."""
    model = _load(worker, champion, folder)
    new = challenger.subset(~belongs_to(challenger, known_keys(worker, champion)))
    log.info("champion %s: %d of %d images are new to it", champion.name, len(new), len(challenger))
    chosen, info = worker.spec.options.preprocess, model.info
    alike = (info.image_size, info.colour_constancy) == (worker.manifest.image_size, chosen.colour_constancy)
    answers, done = [new.subset(np.arange(0))], 0
    for part in _from_shards(worker, model, folder) if alike else _from_files(worker, model, new):
        answers.append(part.subset(np.isin(part.keys, new.keys)))
        done += len(answers[-1])
        progress.report("scoring the champion", done, len(new), "images")
    return Predictions.concatenate(answers)


def _load(worker: EvaluateWorker, champion: Champion, folder: Path) -> Ensemble:
    path = folder / "champion.keras"
    worker.store.download(champion.model_key, str(path))
    model, info = load_model(path)
    if info.classes != worker.manifest.classes:
        raise ModelFileError(f"it knows the classes {info.classes}, the dataset has {worker.manifest.classes}")
    return Ensemble((model,), info)


def known_keys(worker: EvaluateWorker, champion: Champion) -> np.ndarray:
    """Keys of images of this dataset that the champion was trained on, by their keys or by their pixels."""
    store, layout = worker.store, worker.store.layout
    theirs = store.get(layout.dataset_manifest(champion.dataset_id), DatasetManifest)
    trained = {name for pair in _images(store.get_bytes(theirs.images_key), "train") for name in pair}
    ours = _images(store.get_bytes(worker.manifest.images_key), "valid")
    known = [key for key, pixels in ours if key in trained or pixels in trained]
    return np.array(known, dtype=np.str_)


def _images(table: bytes, split: Split) -> Iterator[tuple[str, str]]:
    """Key and pixel hash of each."""
    rows = csv.DictReader(io.StringIO(table.decode()))
    return ((row["key"], row["pixel_sha256"]) for row in rows if row["split"] == split)


def belongs_to(predictions: Predictions, keys: np.ndarray) -> np.ndarray:
    """(images,) bool: is one of these, or in a group with one of them."""
    groups = predictions.bootstrap_groups()
    return np.isin(groups, groups[np.isin(predictions.keys, keys)])


def _from_shards(worker: EvaluateWorker, model: Ensemble, folder: Path) -> Iterator[Predictions]:
    for path in local_shards(worker.store, worker.manifest, "valid", folder):
        yield predict_records(model.models[0], [path], worker.manifest.image_size, model.info.decision_offsets)


def _from_files(worker: EvaluateWorker, model: Ensemble, wanted: Predictions) -> Iterator[Predictions]:
    """The champion learned from images of another size or colour: they are decoded anew, as it knows them."""
    most = worker.spec.options.preprocess.max_megapixels * 10**6
    options = DecodeOptions(model.info.image_size, most, model.info.colour_constancy)

    def pixels(key: str) -> np.ndarray | None:
        decoded = decode(worker.store.get_bytes(key), options)
        return None if isinstance(decoded, Undecodable) else np.asarray(decoded.image)

    with ThreadPoolExecutor(FETCHERS) as pool:
        for first in range(0, len(wanted), BATCH):
            batch = wanted.subset(np.arange(first, min(first + BATCH, len(wanted))))
            images = {row: image for row, image in enumerate(pool.map(pixels, batch.keys)) if image is not None}
            if images:
                answers = model.probabilities(np.stack(list(images.values())))
                known = batch.subset(np.array(list(images)))
                yield replace(known, probabilities=answers, predicted=model.info.decide(answers))
