"""`python -m dermaflow_jobs.measure.reproduce --data FOLDER`: the 2021 network and ours, on the same real images.

Both are scored on the folder's own validation split, and by cross-validation over train and valid together, where
images of one photograph stay in one fold. Finished folds are kept beside the result, so a run that was stopped goes on,
and so is a table of what cross-validation said of every image. A balanced decision is a fold's by what the others show;
on the validation split, where nothing else is held out, the most probable class is named.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from dermaflow_jobs.contract.metrics import SplitMetrics
from dermaflow_jobs.contract.options import PreprocessOptions, TrainOptions
from dermaflow_jobs.contract.presets import PRESETS
from dermaflow_jobs.evaluate.bootstrap import intervals
from dermaflow_jobs.evaluate.predictions import Predictions, of_folds, predict_records
from dermaflow_jobs.evaluate.scores import score
from dermaflow_jobs.measure.local_dataset import LocalDataset, read_folder
from dermaflow_jobs.models.decision import decide
from dermaflow_jobs.models.registry import as_classifier
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.train.learn import with_seed
from dermaflow_jobs.train.loop import Training
from dermaflow_jobs.train.problem import Problem

log = logging.getLogger("reproduce")


@dataclass(frozen=True)
class Recipe:
    name: str
    image_size: int
    options: TrainOptions


def _of_preset(name: str, preset: str) -> Recipe:
    values = PRESETS[preset].values
    options = {option: value for option, value in values.items() if option in TrainOptions.model_fields}
    size = int(values.get("image_size", PreprocessOptions().image_size))
    return Recipe(name, size, TrainOptions.model_validate(options))


NETWORK_2021 = _of_preset("2021", "project_2021")
"""The network of 2021 on its 1,000 augmented images at 100 px an epoch, without what it did not have."""

SMALL = Recipe("small_cnn", 100, TrainOptions(model="small_cnn", epochs=60, samples_per_class=300))
SHORT = Recipe(
    "efficientnet_lite0, short",
    128,
    TrainOptions(
        model="efficientnet_lite0",
        frozen_share=0.37,
        epochs=8,
        samples_per_class=400,
        learning_rate=0.001,
        ema=0.98,
    ),
)
"""Six of the sixteen blocks stay as ImageNet made them, which halves the cost; see the README for what it takes."""
MEDIUM = Recipe(
    "efficientnet_lite0, medium",
    224,
    SHORT.options.model_copy(update={"epochs": 15, "ema": 0.99}),
)
MEDIUM_AGE_SEX = Recipe(
    "efficientnet_lite0, medium, age and sex", 224, MEDIUM.options.model_copy(update={"use_age_sex": True})
)
"""For folders with a `labels.csv`."""
UNFROZEN = Recipe(
    "efficientnet_lite0, unfrozen, age and sex",
    224,
    MEDIUM_AGE_SEX.options.model_copy(update={"frozen_share": 0.0, "second_crop": True}),
)
TWO_NETWORKS = Recipe(
    "efficientnet_lite0, two networks, age and sex", 224, UNFROZEN.options.model_copy(update={"networks": 2})
)
FOUR_NETWORKS = Recipe(
    "efficientnet_lite0, four networks, age and sex",
    224,
    UNFROZEN.options.model_copy(update={"networks": 4, "decision": "balanced"}),
)
FULL = _of_preset("efficientnet_lite0", "accurate")
WAYS = ("valid", "cross_validation")
TOLD = ("isic2017_mean_auc", "auc:melanoma", "auc:seborrheic_keratosis", "balanced_accuracy", "accuracy")
RECIPES = {
    "2021": NETWORK_2021,
    "small": SMALL,
    "short": SHORT,
    "medium": MEDIUM,
    "medium_age_sex": MEDIUM_AGE_SEX,
    "unfrozen": UNFROZEN,
    "two_networks": TWO_NETWORKS,
    "four_networks": FOUR_NETWORKS,
    "full": FULL,
}


def main(argv: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(argv)
    chosen = [_changed(RECIPES[name], given.image_size, given.epochs) for name in given.recipes]
    report: dict[str, object] = {"data": given.data.name, "folds": given.folds}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    for recipe in chosen:
        report[recipe.name] = found = _measure(recipe, given.data, given.folds, given.out.parent / "reproduce")
        given.out.write_text(json.dumps(report, indent=2) + "\n")
        log.info("%s", table(recipe.name, found))


def table(name: str, found: dict[str, Any]) -> str:
    """A line a way of scoring, each score with its 95 % interval."""
    lines = [f"{name}, {found['image_size']} px, {found['cpu_minutes']:.0f} CPU minutes"]
    for way in (way for way in WAYS if way in found):
        scores = found[way]
        told = ("{} {:.3f} ({:.3f} – {:.3f})".format(score, *scores[score]) for score in TOLD if score in scores)
        lines.append(f"  {way.replace('_', ' ')}, {scores['images']:,} images: {', '.join(told)}")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dermaflow_jobs.measure.reproduce", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder[/train|valid]/<class>/<image>, labels.csv")
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=["2021", "short"])
    parser.add_argument("--folds", type=int, default=5, help="0: the validation split alone")
    parser.add_argument("--image-size", type=int, help="other than the recipe's")
    parser.add_argument("--epochs", type=int, help="other than the recipe's")
    parser.add_argument("--out", type=Path, default=Path("build/reproduce.json"))
    return parser


def _changed(recipe: Recipe, image_size: int | None, epochs: int | None) -> Recipe:
    options = recipe.options.model_copy(update={"epochs": epochs or recipe.options.epochs})
    return replace(recipe, image_size=image_size or recipe.image_size, options=options)


def _measure(recipe: Recipe, data: Path, folds: int, kept: Path) -> dict[str, Any]:
    dataset = read_folder(data, recipe.image_size)
    train, valid = dataset.rows("train"), dataset.rows("valid")
    found: dict[str, Any] = {"image_size": recipe.image_size, "options": recipe.options.model_dump(mode="json")}
    fits = []
    if len(valid):
        fits.append(_fit_and_predict(recipe, dataset, train, valid, kept))
        found["valid"] = scored(fits[0].predictions, dataset.classes)
    if folds:
        each = [_fit_and_predict(recipe, dataset, a, b, kept) for a, b in _folds(dataset, folds)]
        said = of_folds([fit.predictions for fit in each], len(dataset.classes), recipe.options.decision)
        found["cross_validation"] = scored(said, dataset.classes)
        table_of = re.sub(r"\W+", "_", recipe.name)
        (kept / f"{table_of}.csv").write_text(said.to_csv(dataset.classes), encoding="utf-8")
        fits += each
    return found | {"cpu_minutes": round(sum(fit.cpu_seconds for fit in fits) / 60, 1)}


def _folds(dataset: LocalDataset, folds: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=2021)
    yield from splitter.split(dataset.labels, dataset.labels, dataset.groups())


@dataclass(frozen=True)
class Fit:
    predictions: Predictions
    """Of the images that it did not learn from."""
    cpu_seconds: float


def _fit_and_predict(recipe: Recipe, dataset: LocalDataset, train: np.ndarray, held_out: np.ndarray, kept: Path) -> Fit:
    """Of several networks, the mean of what they say."""
    each = [
        _fit_one(replace(recipe, options=with_seed(recipe.options, number)), dataset, train, held_out, kept)
        for number in range(recipe.options.networks)
    ]
    mean = np.mean([fit.predictions.probabilities for fit in each], axis=0)
    said = replace(each[0].predictions, probabilities=mean, predicted=decide(mean))
    return Fit(said, sum(fit.cpu_seconds for fit in each))


def _fit_one(recipe: Recipe, dataset: LocalDataset, train: np.ndarray, held_out: np.ndarray, kept: Path) -> Fit:
    path = kept / f"{_fingerprint(recipe, dataset, train, held_out)}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as archive:
            columns = dict(archive)
        return Fit(cpu_seconds=float(columns.pop("cpu_seconds")), predictions=Predictions(**columns))
    began = time.process_time()
    with tempfile.TemporaryDirectory(prefix="dermaflow-reproduce-") as folder:
        model = _fit(recipe, dataset, train, Path(folder) / "train")
        files = dataset.write(list(held_out), Path(folder) / "held-out")
        predictions = predict_records(model, [path for one in files for path in one.paths], recipe.image_size)
    fit = Fit(predictions, time.process_time() - began)
    kept.mkdir(parents=True, exist_ok=True)
    columns = {name: getattr(predictions, name) for name in Predictions.__dataclass_fields__}
    np.savez(path, allow_pickle=False, cpu_seconds=np.array(fit.cpu_seconds), **columns)
    return fit


def _fit(recipe: Recipe, dataset: LocalDataset, rows: np.ndarray, folder: Path) -> keras.Model:
    keras.backend.clear_session()
    problem = Problem(recipe.options, dataset.classes, recipe.image_size, dataset.write(list(rows), folder), ())
    training = Training(problem, Placement(0, ("localhost:1",)))
    batches, began = training.batches(), time.monotonic()
    for epoch in range(recipe.options.epochs):
        loss = training.run_epoch(batches, lambda *_: None)
        log.info("%s epoch %d: loss %.4f, %.0f s", recipe.name, epoch + 1, loss, time.monotonic() - began)
    options = recipe.options
    return as_classifier(training.averaged_model(), eight_views=options.eight_views, second_crop=options.second_crop)


def _fingerprint(recipe: Recipe, dataset: LocalDataset, train: np.ndarray, held_out: np.ndarray) -> str:
    """Of one network, whichever of how many it is and whatever is made of its answers."""
    parts = [recipe.image_size, recipe.options.model_dump(mode="json", exclude={"networks", "decision"})]
    parts += [[dataset.images[row].image_id for row in rows] for rows in (train, held_out)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def scored(predictions: Predictions, classes: tuple[str, ...]) -> dict[str, Any]:
    """Each as (value, low, high) by the bootstrap, `images` and `confusion` beside them."""
    labels, probabilities, predicted = predictions.labels, predictions.probabilities, predictions.predicted
    scores: SplitMetrics = score(labels, probabilities, classes, predicted)
    found = intervals(labels, probabilities, classes, predicted=predicted)
    named = {
        "accuracy": scores.accuracy,
        "balanced_accuracy": scores.balanced_accuracy,
        "mean_auc": scores.mean_auc,
        "isic2017_mean_auc": scores.isic2017_mean_auc,
        **{f"auc:{name}": value for name, value in scores.auc.items()},
    }
    measured = {
        name: [round(value, 4), round(found[name].low, 4), round(found[name].high, 4)]
        for name, value in named.items()
        if value is not None and name in found
    }
    return {"images": scores.images, **measured, "confusion": scores.confusion}


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
