"""All scores of the splits, put together."""

from __future__ import annotations

from collections.abc import Mapping

from dermaflow_jobs.contract.dataset import Split
from dermaflow_jobs.contract.metrics import SplitMetrics
from dermaflow_jobs.evaluate.bootstrap import intervals
from dermaflow_jobs.evaluate.calibration import calibration
from dermaflow_jobs.evaluate.operating_points import Thresholds, fix_thresholds, operating_points
from dermaflow_jobs.evaluate.predictions import Predictions
from dermaflow_jobs.evaluate.scores import score
from dermaflow_jobs.evaluate.subgroups import subgroups


def score_splits(
    predictions: Mapping[Split, Predictions], classes: tuple[str, ...], *, temperature: float
) -> dict[Split, SplitMetrics]:
    """Thresholds come from the validation split, whatever split they are applied to."""
    valid = predictions["valid"]
    thresholds = fix_thresholds(valid.labels, valid.probabilities, classes)
    return {split: _score(found, classes, thresholds, temperature) for split, found in predictions.items()}


def _score(found: Predictions, classes: tuple[str, ...], thresholds: Thresholds, temperature: float) -> SplitMetrics:
    labels, probabilities, predicted = found.labels, found.probabilities, found.predicted
    return score(labels, probabilities, classes, predicted).model_copy(
        update={
            "intervals": intervals(labels, probabilities, classes, found.bootstrap_groups(), predicted=predicted),
            "operating_points": operating_points(labels, probabilities, classes, thresholds),
            "calibration": calibration(labels, probabilities, temperature),
            "subgroups": subgroups(
                labels, probabilities, classes, predicted=predicted, ages=found.ages, sexes=found.sexes
            ),
        }
    )
