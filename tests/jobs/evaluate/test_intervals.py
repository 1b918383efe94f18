"""Bootstrap, calibration, operating points and subgroups, against libraries and cases that can be worked out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from dermaflow_jobs.evaluate.bootstrap import intervals, weighted_auc
from dermaflow_jobs.evaluate.calibration import brier, calibration, expected_calibration_error, fit_temperature
from dermaflow_jobs.evaluate.operating_points import SENSITIVITIES, fix_thresholds, operating_points
from dermaflow_jobs.evaluate.scores import score
from dermaflow_jobs.evaluate.subgroups import subgroups

CLASSES = ("melanoma", "nevus", "seborrheic_keratosis")


def table(images: int, seed: int = 0, skill: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, logits and probabilities of a model that is right more often than not."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, images)
    logits = rng.normal(size=(images, 3))
    logits[np.arange(images), labels] += skill
    return labels, logits, softmax(logits, axis=1)


def test_the_fast_auc_is_that_of_scikit_learn_with_ties_and_weights():
    rng = np.random.default_rng(1)
    is_class, scores = rng.random(80) < 0.3, rng.integers(0, 12, 80) / 12
    weights = rng.integers(0, 4, (25, 80)).astype(float)
    expected = [roc_auc_score(is_class, scores, sample_weight=row) for row in weights]
    np.testing.assert_allclose(weighted_auc(is_class, scores, weights), expected, atol=1e-12)


def test_an_interval_holds_the_score_and_narrows_with_the_root_of_the_sample():
    small, large = (table(n) for n in (100, 1600))
    widths = []
    for labels, _, probabilities in (small, large):
        interval = intervals(labels, probabilities, CLASSES)["mean_auc"]
        assert interval.low < score(labels, probabilities, CLASSES).mean_auc < interval.high
        widths.append(interval.high - interval.low)
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.35)


def test_accuracy_s_interval_is_near_the_binomial_one():
    labels, _, probabilities = table(400)
    accuracy = (probabilities.argmax(axis=1) == labels).mean()
    half = 1.96 * np.sqrt(accuracy * (1 - accuracy) / 400)
    interval = intervals(labels, probabilities, CLASSES)["accuracy"]
    assert (interval.low, interval.high) == pytest.approx((accuracy - half, accuracy + half), abs=0.008)


def test_images_that_belong_together_count_as_one_observation():
    """Every image eight times over is no more evidence than once."""
    labels, _, probabilities = table(120)
    groups = np.tile([f"lesion {i}" for i in range(120)], 8)
    once = intervals(labels, probabilities, CLASSES)["mean_auc"]
    repeated = np.tile(labels, 8), np.tile(probabilities, (8, 1))
    naive, grouped = (intervals(*repeated, CLASSES, g)["mean_auc"] for g in (None, groups))
    assert grouped.high - grouped.low == pytest.approx(once.high - once.low, rel=0.1)
    assert naive.high - naive.low < 0.5 * (once.high - once.low)


def test_a_score_that_a_class_without_images_leaves_undefined_has_no_interval():
    labels, _, probabilities = table(60)
    found = intervals(np.minimum(labels, 1), probabilities, CLASSES)
    assert "accuracy" in found
    assert not {"mean_auc", "auc:seborrheic_keratosis", "balanced_accuracy"} & found.keys()


def test_the_temperature_undoes_overconfidence():
    """Logits three times too large are found out, and dividing by it mends the calibration error."""
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(4000, 3)) * 1.5
    labels = np.array([rng.choice(3, p=p) for p in softmax(logits, axis=1)])
    temperature = fit_temperature(3 * logits, labels)
    assert temperature == pytest.approx(3, rel=0.1)
    found = calibration(labels, softmax(3 * logits / temperature, axis=1), temperature)
    assert found.ece_before == pytest.approx(expected_calibration_error(labels, softmax(3 * logits, axis=1)), abs=1e-9)
    assert found.ece_after < 0.03 < found.ece_before
    assert found.brier_after < found.brier_before


def test_calibration_error_and_brier_of_a_table_worked_out_by_hand():
    """Two answers of confidence .8, one of them right: a gap of .3; the Brier score from its definition."""
    labels, probabilities = np.array([0, 1]), np.array([[0.8, 0.1, 0.1], [0.8, 0.1, 0.1]])
    assert expected_calibration_error(labels, probabilities) == pytest.approx(0.3)
    assert brier(labels, probabilities) == pytest.approx(((0.04 + 0.01 + 0.01) + (0.64 + 0.81 + 0.01)) / 2)


def test_thresholds_fixed_on_validation_are_the_ones_applied_to_test():
    """On validation each sensitivity is reached with as much specificity as can be; on test it is what it is."""
    valid_labels, _, valid = table(300, seed=3)
    test_labels, _, test = table(300, seed=4)
    thresholds = fix_thresholds(valid_labels, valid, CLASSES)
    on_valid = operating_points(valid_labels, valid, CLASSES, thresholds)["melanoma"]
    on_test = operating_points(test_labels, test, CLASSES, thresholds)["melanoma"]
    for wanted, first, second in zip(SENSITIVITIES, on_valid, on_test, strict=True):
        assert first.threshold == second.threshold
        assert wanted <= first.sensitivity < wanted + 1 / (valid_labels == 0).sum() + 1e-9
    own = test[:, 0] >= on_test[0].threshold
    assert on_test[0].specificity == pytest.approx((~own[test_labels != 0]).mean())


def test_subgroups_are_those_that_the_data_knows():
    labels, _, probabilities = table(6)
    ages = np.array([20, 39, 40, 75, np.nan, np.nan])
    sexes = np.array(["female", "male", "female", "", "", "male"])
    found = subgroups(labels, probabilities, CLASSES, predicted=labels, ages=ages, sexes=sexes)
    assert {name: group.images for name, group in found.items()} == {
        "age: under 40": 2,
        "age: 40 to 59": 1,
        "age: 60 and over": 1,
        "sex: female": 2,
        "sex: male": 2,
    }
    assert {group.accuracy for group in found.values()} == {1.0}
