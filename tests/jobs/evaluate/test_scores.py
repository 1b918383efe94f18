"""Scores of a split."""

from __future__ import annotations

import numpy as np
import pytest

from dermaflow_jobs.evaluate.scores import score

CLASSES = ("a", "b", "c")


def test_scores_of_a_small_table_worked_out_by_hand():
    labels = np.array([0, 0, 1, 1, 1, 2])
    probabilities = np.array(
        [[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7]]
    )
    scores = score(labels, probabilities, CLASSES)
    assert scores.confusion == ((1, 1, 0), (1, 2, 0), (0, 0, 1))
    assert scores.accuracy == pytest.approx(4 / 6)
    assert scores.balanced_accuracy == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert scores.auc["a"] == pytest.approx(7 / 8)
    assert scores.auc["c"] == 1.0
    assert scores.sensitivity == pytest.approx({"a": 1 / 2, "b": 2 / 3, "c": 1})
    assert scores.specificity == pytest.approx({"a": 3 / 4, "b": 2 / 3, "c": 1})
    assert scores.isic2017_mean_auc is None
    assert scores.images_per_class == {"a": 2, "b": 3, "c": 1}


def test_a_class_without_images_has_no_score_rather_than_a_wrong_one():
    labels = np.array([0, 1, 0])
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.6, 0.2, 0.2]])
    scores = score(labels, probabilities, CLASSES)
    assert scores.auc["c"] is None
    assert scores.mean_auc is None
    assert scores.balanced_accuracy is None
    assert scores.accuracy == 1.0
