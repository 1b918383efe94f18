"""The table behind the README's number: what cross-validation said of every image, scored again."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from dermaflow_jobs.evaluate.predictions import Predictions
from dermaflow_jobs.measure import reproduce
from dermaflow_jobs.models.decision import decide

ROOT = Path(__file__).parents[3]
TABLE = ROOT / ".github/results/isic2017_two_networks.csv"
CLASSES = ("melanoma", "nevus", "seborrheic_keratosis")
IN_THE_README = ("isic2017_mean_auc", "auc:melanoma", "auc:seborrheic_keratosis", "balanced_accuracy")


def test_the_readme_s_row_of_two_networks_is_what_its_predictions_score() -> None:
    with TABLE.open() as file:
        rows = list(csv.DictReader(file))
    names = np.array([row["image_id"] for row in rows])
    assert len(set(names)) == len(rows) == 2150
    unknown = np.full(len(rows), "")
    labels = np.array([CLASSES.index(row["label"]) for row in rows])
    probabilities = np.array([[float(row[name]) for name in CLASSES] for row in rows])
    said = Predictions(
        names, names, unknown, np.full(len(rows), np.nan), unknown, labels, probabilities, decide(probabilities)
    )
    found = reproduce.scored(said, CLASSES)
    told = ("{:.3f} ({:.3f} – {:.3f})".format(*found[name]).replace("0.", ".") for name in IN_THE_README)
    row = f"| two networks of that (`two_networks`), cross-validation | {' | '.join(told)} |"
    assert row in (ROOT / "README.md").read_text().replace("**", "")
