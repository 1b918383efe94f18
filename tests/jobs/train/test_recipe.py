"""The schedule, the precision and what is beside the image, where the loop takes them in, and the decision after it."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from scipy.special import softmax

from dermaflow_jobs.contract.options import TrainOptions
from dermaflow_jobs.evaluate.predictions import Predictions, of_folds, predict_records
from dermaflow_jobs.evaluate.report import score_splits
from dermaflow_jobs.evaluate.samples import choose
from dermaflow_jobs.models.details import HIDE_SHARE
from dermaflow_jobs.models.registry import as_classifier, build_logits
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.train.loop import Training
from dermaflow_jobs.train.problem import Problem
from dermaflow_jobs.train.recipe import Schedule
from dermaflow_jobs.train.samples import Share, training_batches
from dermaflow_jobs.train.shards import download_split

ALONE = Placement(0, ("localhost:1",))


@pytest.fixture(scope="module")
def problem(store, manifest, tmp_path_factory) -> Problem:
    folder = tmp_path_factory.mktemp("shards")
    train, valid = (download_split(store, manifest, split, folder) for split in ("train", "valid"))
    options = TrainOptions(samples_per_class=32, batch_size=24, epochs=6)
    return Problem(options, manifest.classes, manifest.image_size, train, valid)


@pytest.mark.parametrize(("kind", "first"), [("one_cycle", 0.04), ("cosine", 0.0)])
@pytest.mark.parametrize("warm_up", [0.0, 0.25, 0.9])
def test_the_rate_rises_to_its_peak_and_falls_to_nothing(kind, first, warm_up):
    rates = [float(Schedule(1.0, 200, warm_up, kind)(step)) for step in range(201)]
    assert max(rates) == pytest.approx(1.0, abs=0.01)
    assert abs(int(np.argmax(rates)) - 200 * warm_up) <= 1
    assert rates[-1] == pytest.approx(1e-4, abs=1e-5)
    if warm_up:
        assert rates[0] == pytest.approx(first, abs=1e-6)
        rising = rates[: round(200 * warm_up)]
        assert rising == sorted(rising)
        if kind == "cosine":
            assert np.ptp(np.diff(rising)) < 1e-6


def test_mixed_precision_computes_in_bfloat16_and_keeps_everything_else(problem):
    """Weights, average, logits and the kept model are float32; the first loss is that of float32, nearly."""
    losses = []
    for mixed in (False, True):
        options = problem.options.model_copy(update={"mixed_precision": mixed, "epochs": 1})
        training = Training(replace(problem, options=options), ALONE)
        losses.append(training.run_epoch(training.batches(), lambda *_: None))
    convolution = next(layer for layer in training.model.layers if isinstance(layer, keras.layers.Conv2D))
    assert (convolution.compute_dtype, convolution.variable_dtype) == ("bfloat16", "float32")
    assert training.model.output.dtype == "float32"
    kept = training.averaged_model()
    assert {layer.compute_dtype for layer in kept.layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0] != losses[1]


def test_age_and_sex_reach_the_network_and_are_now_and_then_kept_from_it(problem):
    """From the records, in the order of their images; training and prediction both give them."""
    batches = training_batches(
        problem.train, image_size=40, seed=7, global_batch=24, first_sample=0, share=Share(0, 1), details=True
    )
    details = np.concatenate([inputs["details"] for inputs, _ in batches.take(40).as_numpy_iterator()])
    known = details[:, 1] == 1
    assert 1 - known.mean() == pytest.approx(HIDE_SHARE, abs=0.04)
    assert (details[~known] == 0).all()
    assert (details[known, 2] + details[known, 3] == 1).all()
    assert set(np.round(details[known, 0] * 100).astype(int)) == set(range(20, 80, 5))

    options = problem.options.model_copy(update={"use_age_sex": True, "epochs": 1})
    training = Training(replace(problem, options=options), ALONE)
    training.run_epoch(training.batches(), lambda *_: None)
    model = as_classifier(training.averaged_model())
    found = predict_records(model, [path for files in problem.valid for path in files.paths], 40)
    assert len(found) == 20
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-5)


def test_scores_are_of_the_classes_that_the_model_s_decision_names(problem):
    """With offsets beyond measure that is one class; areas under the curve ask the probabilities and are the same."""
    model = as_classifier(build_logits(problem.design))
    paths = [path for files in problem.valid for path in files.paths]
    plain, decided = (predict_records(model, paths, 40, offsets) for offsets in ((), (100.0, 0.0, 0.0)))
    np.testing.assert_array_equal(plain.predicted, plain.probabilities.argmax(axis=1))
    before, after = (
        score_splits({"valid": found}, problem.classes, temperature=1.0)["valid"] for found in (plain, decided)
    )
    assert after.auc == before.auc
    assert after.confusion == ((6, 0, 0), (9, 0, 0), (5, 0, 0))
    assert (after.accuracy, after.balanced_accuracy) == (pytest.approx(6 / 20), pytest.approx(1 / 3))
    assert after.intervals["balanced_accuracy"].high == pytest.approx(1 / 3)
    women = decided.labels[decided.sexes == "female"]
    assert after.subgroups["sex: female"].accuracy == pytest.approx((women == 0).mean())
    assert {row.split(",")[4] for row in decided.to_csv(problem.classes).splitlines()[1:]} == {"melanoma"}
    assert [decided.labels[row] for row in choose(decided)] == [0, 1, 2]  # one right, two wrong


def test_in_cross_validation_a_fold_has_no_say_in_its_own_decision():
    """Turning one fold's labels upside down changes what is named in the other folds, and nothing in itself."""
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 600, p=[0.2, 0.65, 0.15])
    evidence = rng.normal(size=(600, 3)) + 1.5 * np.eye(3)[labels] + [0, 1.0, 0]
    none = np.full(600, "")
    whole = Predictions(none, none, none, np.zeros(600), none, labels, softmax(evidence, axis=1), labels)
    folds = [whole.subset(np.arange(first, first + 200)) for first in (0, 200, 400)]
    said = of_folds(folds, 3, "balanced").predicted
    assert (said != evidence.argmax(axis=1)).any()
    mad = replace(folds[0], labels=np.zeros(200, int))
    changed = of_folds([mad, *folds[1:]], 3, "balanced").predicted
    np.testing.assert_array_equal(changed[:200], said[:200])
    assert (changed[200:] != said[200:]).any()
