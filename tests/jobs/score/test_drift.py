"""The stability index and its noise, on samples whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from dermaflow_jobs.score.drift import Reference, column, compare, count_into, stability_index
from dermaflow_jobs.score.statistics import IMAGE_STATISTICS, image_statistics

COLUMNS = 10


def reference(values: np.ndarray) -> Reference:
    columns = tuple(column(f"c{number}", values[:, number]) for number in range(values.shape[1]))
    return Reference(code="c", model_etag="e", images=len(values), columns=columns)


@pytest.mark.parametrize(("before", "after"), [(60, 20), (150, 100), (2000, 300)])
def test_chance_is_no_drift(before: int, after: int) -> None:
    """Of 300 reports on one population at most two raise an alarm; the bare threshold does for most small samples."""
    rng = np.random.default_rng(7)
    alarms = bare = 0
    for _ in range(300):
        found = compare(reference(rng.normal(size=(before, COLUMNS))), rng.normal(size=(after, COLUMNS)))
        alarms += any(drift.is_above(0.25) for drift in found)
        bare += any(drift.psi > 0.25 for drift in found)
    assert alarms <= 2
    assert bare > 150 or before == 2000


def test_a_shift_is_found_and_named() -> None:
    """One column of ten moved by a standard deviation: that one, and first."""
    rng = np.random.default_rng(3)
    moved = rng.normal(size=(100, COLUMNS))
    moved[:, 4] += 1
    found = compare(reference(rng.normal(size=(300, COLUMNS))), moved)
    assert [drift.name for drift in found if drift.is_above(0.25)] == ["c4"]
    assert found[0].name == "c4"
    assert found[0].mean - found[0].reference_mean == pytest.approx(1, abs=0.3)


def test_a_small_shift_of_many_images_is_no_drift() -> None:
    """Significant, yet too small to matter: a p-value alone would call it drift."""
    rng = np.random.default_rng(5)
    (found,) = compare(reference(rng.normal(size=(20_000, 1))), rng.normal(0.1, 1, size=(20_000, 1)))
    assert found.psi > found.noise
    assert not found.is_above(0.25)


def test_the_index_is_the_textbook_s() -> None:
    """Σ (q − p) ln(q / p), where no bin is so empty that the half added to each matters."""
    before, after = np.array([100_000, 300_000]), np.array([200_000, 200_000])
    assert stability_index(before, after) == pytest.approx(
        (0.5 - 0.25) * np.log(2) + (0.5 - 0.75) * np.log(2 / 3), abs=1e-4
    )


def test_a_reference_of_equal_values_notices_others() -> None:
    """As the share of dark pixels, which is nothing for most images."""
    (found,) = compare(reference(np.zeros((200, 1))), np.full((50, 1), 0.3))
    assert len(found.shares) == 2
    assert found.is_above(0.25)
    assert count_into(np.array([0.0]), np.zeros(4)).tolist() == [4, 0]


def test_statistics_say_what_their_names_say() -> None:
    """Of a grey, a red, a half-dark and a checkered image."""
    images = np.full((4, 32, 32, 3), 128, np.uint8)
    images[1] = (200, 40, 40)
    images[2, :16] = 0
    images[3, ::2, ::2] = 250
    found = dict(zip(IMAGE_STATISTICS, image_statistics(images).T, strict=True))
    assert found["brightness"][0] == pytest.approx(128 / 255)
    assert found["contrast"][0] == pytest.approx(0, abs=1e-6)
    assert found["saturation"][:2] == pytest.approx([0, 0.8])
    assert found["redness"][:2] == pytest.approx([1 / 3, 200 / 280])
    assert found["dark share"].tolist() == [0, 0, 0.5, 0]
    assert found["sharpness"].argmax() == 3
    assert found["sharpness"][0] == pytest.approx(0, abs=1e-6)
