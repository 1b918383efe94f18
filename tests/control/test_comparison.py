"""How the answers of two models to the same images are compared."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from dermaflow.comparison import compare, mean_auc, read_answers

CLASSES = ("melanoma", "nevus")


def table(skill: float, *, images: int = 120, first: int = 0, seed: int = 1, group: int = 1) -> bytes:
    """Answers about images of two classes; the more skill, the better they are told apart.

    `group` images in a row are of one lesion, and have the same label and the same answer.
    """
    rng = np.random.default_rng(seed)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["image_id", "key", "group", "label", "predicted", *CLASSES])
    for lesion in range(images // group):
        label = lesion % 2
        p = 1 / (1 + np.exp(-(skill * (1 - 2 * label) + rng.normal())))
        answer = [CLASSES[label], CLASSES[int(p < 0.5)], f"{p:.6f}", f"{1 - p:.6f}"]
        for number in range(lesion * group, (lesion + 1) * group):
            name = f"group-{lesion}" if group > 1 else ""
            writer.writerow([number, f"raw/{first + number}.jpg", name, *answer])
    return out.getvalue().encode()


def test_the_better_of_two_on_the_same_images_is_told_from_chance() -> None:
    """Sure of a clear difference, in two minds about none; intervals hold the difference."""
    weak, strong, again = (read_answers(table(s, seed=n), CLASSES) for n, s in enumerate((0.3, 2.0, 0.3)))
    clear, none = (compare(one, weak, CLASSES, name="old") for one in (strong, again))
    assert clear is not None
    assert none is not None
    assert clear.confidence > 0.999
    assert clear.difference_interval.low > 0
    assert clear.difference == pytest.approx(clear.challenger_scores.mean_auc - clear.champion_scores.mean_auc)
    assert 0.02 < none.confidence < 0.98
    assert none.difference_interval.low < 0 < none.difference_interval.high
    assert clear.images == 120
    assert clear.images_per_class == {"melanoma": 60, "nevus": 60}


def test_what_a_model_misses_is_told_by_the_class_that_it_named() -> None:
    """Its decision may favour a rare class: then that is what the guarded class is judged by."""
    plain = table(1.0)
    rows = list(csv.DictReader(io.StringIO(plain.decode())))
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(row | {"predicted": "melanoma"} for row in rows)
    bold, careful = read_answers(out.getvalue().encode(), CLASSES), read_answers(plain, CLASSES)
    found = compare(bold, careful, CLASSES, name="old")
    assert found is not None
    assert found.challenger_scores.sensitivity == {"melanoma": 1.0, "nevus": 0.0}
    assert 0 < found.champion_scores.sensitivity["melanoma"] < 1
    assert found.difference == 0


def test_two_models_that_say_the_same_are_equal() -> None:
    """Half of nothing each way: no resampling can tell them apart."""
    answers = read_answers(table(1.0), CLASSES)
    found = compare(answers, answers, CLASSES, name="old")
    assert found is not None
    assert (found.difference, found.confidence) == (0, 0.5)


def test_the_area_is_the_one_that_the_evaluation_reports() -> None:
    """The other plane reckons it with code of its own, which this one must not import: here they are held together."""
    from dermaflow_jobs.evaluate.bootstrap import weighted_scores

    answers = read_answers(table(0.7), CLASSES)
    weights = np.random.default_rng(3).integers(0, 4, (50, 120)).astype(np.float64)
    rounded = np.round(answers.probabilities, 1)  # ties
    expected = weighted_scores(answers.labels, rounded, CLASSES, weights)["mean_auc"]
    assert mean_auc(answers.labels, rounded, weights) == pytest.approx(expected)


def test_images_that_belong_together_are_drawn_together() -> None:
    """Twelve lesions of ten photographs each, answered for alike, say less than 120 lesions."""
    widths = []
    for size in (1, 10):
        pair = [read_answers(table(skill, seed=n, group=size), CLASSES) for n, skill in enumerate((0.5, 0.3))]
        found = compare(*pair, CLASSES, name="old")
        assert found is not None
        widths.append(found.difference_interval.high - found.difference_interval.low)
    alone, together = widths
    assert together > 2 * alone


def test_only_images_that_both_answered_for_count() -> None:
    """The champion's table lacks what it was trained on; with too few left there is no comparison."""
    mine = read_answers(table(1.0), CLASSES)
    half = read_answers(table(0.2, first=60), CLASSES)
    found = compare(mine, half, CLASSES, name="old")
    assert found is not None
    assert found.images == 60
    assert compare(mine, read_answers(table(0.2, first=112), CLASSES), CLASSES, name="old") is None
