"""Offsets that name rare classes as often as they should be, against answers whose fault is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.metrics import balanced_accuracy_score

from dermaflow_jobs.models.decision import decide, fit_offsets

TRAIN = (400, 1450, 300)
RARITY = -np.log(np.array(TRAIN) / sum(TRAIN))


def answers(images: int, strength: float, *, sharpness: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels: right for classes that are alike frequent, but for rarity times `strength`."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, images, p=np.array(TRAIN) / sum(TRAIN))
    evidence = rng.normal(size=(images, 3))
    evidence[np.arange(images), labels] += 1.5
    honest = log_softmax(1.5 * evidence, axis=1)  # of unit normals 1.5 apart
    return softmax(sharpness * (honest - strength * RARITY), axis=1), labels


@pytest.mark.parametrize("strength", [0.0, 0.4, 0.8])
@pytest.mark.parametrize("sharpness", [0.5, 2.0])
def test_what_rare_classes_lack_is_found_however_sure_the_network_is(strength, sharpness):
    probabilities, labels = answers(20_000, strength, sharpness=sharpness)
    expected = sharpness * strength * (RARITY - RARITY.min())
    assert fit_offsets(probabilities, labels, TRAIN) == pytest.approx(expected, abs=0.1 * sharpness)


def test_a_hundred_and_fifty_images_are_enough_to_name_others_better():
    """Of 30 draws all but a few, for one of them may by chance say nothing."""
    unseen, labels = answers(20_000, 0.5, seed=99)
    plain = balanced_accuracy_score(labels, decide(unseen))
    better = 0
    for seed in range(30):
        offsets = fit_offsets(*answers(150, 0.5, seed=seed), TRAIN)
        better += balanced_accuracy_score(labels, decide(unseen, offsets)) > plain
    assert better >= 27


def test_without_offsets_the_most_probable_class_is_named():
    probabilities, _ = answers(500, 0.0)
    np.testing.assert_array_equal(decide(probabilities), probabilities.argmax(axis=1))
    np.testing.assert_array_equal(decide(probabilities, (0.0, 0.0, 0.0)), probabilities.argmax(axis=1))


def test_offsets_move_the_odds_and_none_favours_the_most_frequent_class():
    probabilities = np.array([[0.30, 0.50, 0.20], [0.20, 0.75, 0.05]])
    np.testing.assert_array_equal(decide(probabilities, (np.log(2), 0.0, 0.0)), [0, 1])
    offsets = fit_offsets(*answers(150, -1.0), TRAIN)  # rare classes are named too often already
    assert offsets == pytest.approx((0, 0, 0), abs=1e-6)


def test_classes_that_no_image_has_and_answers_of_probability_nought_are_no_obstacle():
    probabilities, labels = answers(200, 0.5)
    probabilities[:5] = [1.0, 0.0, 0.0]
    offsets = fit_offsets(probabilities[labels != 2], labels[labels != 2], (400, 1450, 0))
    assert np.isfinite(offsets).all()
