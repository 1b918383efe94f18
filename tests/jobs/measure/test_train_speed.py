"""bench-train's parts: one method timed for real, and the shares reckoned from the speeds."""

from __future__ import annotations

from dermaflow_jobs.measure.train_speed import METHODS, Setting, measure, summary


def test_the_loop_with_everything_on_is_timed_in_a_process_of_its_own():
    assert measure("ours", Setting(model="small_cnn", image_size=32, batch_size=8, steps=3)) > 0


def test_shares_are_ours_against_each_of_the_others():
    speeds = dict(zip(METHODS, (100.0, 96.0, 48.0, 64.0, 90.0), strict=True))
    report = summary(Setting("small_cnn", 100, 32, 60), speeds)
    shares = (report[key] for key in ("vs_bound", "vs_imagedatagenerator", "vs_keras_layers", "two_worker_efficiency"))
    assert tuple(shares) == (0.96, 2.0, 1.5, 0.938)
