"""The tables behind the README's numbers: what cross-validation said of every image, scored again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from dermaflow_jobs.evaluate.predictions import Predictions, of_folds
from dermaflow_jobs.measure import gpu_speed, reproduce
from dermaflow_jobs.models.decision import decide

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / ".github/results"
CLASSES = ("melanoma", "nevus", "seborrheic_keratosis")
IN_THE_README = ("isic2017_mean_auc", "auc:melanoma", "auc:seborrheic_keratosis", "balanced_accuracy")
IMAGES, FOLDS = 2150, 5


def read(table: Path) -> Predictions:
    with table.open() as file:
        rows = list(csv.DictReader(file))
    names = np.array([row["image_id"] for row in rows])
    assert len(set(names)) == len(rows) == IMAGES
    labels, predicted = (np.array([CLASSES.index(row[column]) for row in rows]) for column in ("label", "predicted"))
    probabilities = np.array([[float(row[name]) for name in CLASSES] for row in rows])
    unknown = np.full(len(rows), "")
    return Predictions(names, names, unknown, np.full(len(rows), np.nan), unknown, labels, probabilities, predicted)


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("isic2017_two_networks.csv", "two networks of that (`two_networks`), cross-validation"),
        ("isic2017_four_networks.csv", "four, and a balanced decision (`four_networks`), cross-validation"),
    ],
)
def test_the_readme_s_row_is_what_its_predictions_score(table, row):
    found = reproduce.scored(read(RESULTS / table), CLASSES)
    told = ("{:.3f} ({:.3f} – {:.3f})".format(*found[name]).replace("0.", ".") for name in IN_THE_README)
    assert f"| {row} | {' | '.join(told)} |" in (ROOT / "README.md").read_text().replace("**", "")


def test_the_classes_of_a_fold_are_named_by_the_others_or_are_the_most_probable():
    """Rows lie fold by fold."""
    likeliest, balanced = (read(RESULTS / f"isic2017_{name}_networks.csv") for name in ("two", "four"))
    assert (likeliest.predicted == decide(likeliest.probabilities)).mean() > 0.999  # six digits
    folds = [balanced.subset(rows) for rows in np.split(np.arange(IMAGES), FOLDS)]
    assert (balanced.predicted == of_folds(folds, len(CLASSES), "balanced").predicted).mean() > 0.999
    assert (balanced.predicted != decide(balanced.probabilities)).any()


def test_the_readme_s_speeds_on_a_gpu_are_the_report_s():
    report = json.loads((RESULTS / "train_gpu_h200.json").read_text())
    readme = (ROOT / "README.md").read_text()
    for precision, speeds in report["images_per_second"].items():
        told = " | ".join(f"{speeds[name]:,.0f}" for name in ("bound", "ours", "fit", "limit"))
        assert f"| {precision} | {told} |" in readme
    assert f"bfloat16 is {report['bfloat16_vs_float32']:.2f} times float32" in readme
    again = gpu_speed.summary(report["found"], report["batch_size"])
    assert again.items() <= report.items()
