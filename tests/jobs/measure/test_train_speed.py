"""bench-train's parts: a process timed for real, and the shares reckoned from the speeds."""

from __future__ import annotations

import numpy as np
import pytest

from dermaflow_jobs.measure.train_speed import METHODS, Setting, interval_of_median, measure, missed, summary, table

SETTING = Setting("small_cnn", 32, 8, 3, pairs=2, epochs=2)


def test_the_loop_and_its_bound_are_timed_in_turns_in_a_process_of_their_own():
    found = measure("ours", SETTING)
    assert {name: len(speeds) for name, speeds in found.items()} == {"ours": 2, "bound": 2}
    assert min(speed for speeds in found.values() for speed in speeds) > 0


def test_shares_are_ours_against_each_of_the_others():
    """Of the bound as the median of pairs, of which one may be disturbed; of the others by the fastest epochs."""
    speeds = dict(zip(METHODS, ([100.0, 110.0, 90.0], [96.0, 104.5, 30.0], [70.0], [64.0], [94.0]), strict=True))
    report = summary(SETTING, speeds)
    shares = (report[key] for key in ("vs_bound", "vs_imagedatagenerator", "vs_keras_layers", "two_worker_efficiency"))
    assert tuple(shares) == (0.95, 1.493, 1.633, 0.9)
    assert missed(report) == ["vs_imagedatagenerator"]
    assert report["vs_bound_interval"] == [0.333, 0.96]
    assert "1.493 vs_imagedatagenerator: missed" in table(report)


def test_the_interval_of_a_median_narrows_with_the_pairs():
    """As the normal one of as many pairs would be, 1.253 times as wide as a mean's."""
    ratios = np.random.default_rng(1).normal(0.94, 0.02, 400)
    low, high = interval_of_median(list(ratios))
    assert low < np.median(ratios) < high
    assert (high - low) / 2 == pytest.approx(1.96 * 1.253 * 0.02 / 20, rel=0.35)
