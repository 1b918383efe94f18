"""Train and evaluate as EMR runs them: with Spark, from one run spec."""

from __future__ import annotations

import csv
import io
import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from dermaflow_jobs.contract.failure import FailureReport
from dermaflow_jobs.contract.metrics import History, Metrics
from dermaflow_jobs.contract.progress import Progress
from dermaflow_jobs.contract.steps import EvaluateReport, TrainReport
from dermaflow_jobs.models.decision import decide
from dermaflow_jobs.models.saved import ModelInfo, read_info
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.train.worker import TrainWorker

RECIPE = {"epochs": 2, "samples_per_class": 64, "batch_size": 16}


@pytest.fixture(scope="module")
def finished(store, make_run, run_steps):
    """A run trained by two workers on executors, evaluated; then an evaluation of a file that is no model."""
    whole, broken = make_run("whole", train_workers=2, decision="balanced", **RECIPE), make_run("broken", **RECIPE)
    report = TrainReport(
        dataset_id="tiny", model="small_cnn", parameters=1, workers=1, epochs=1, images_per_second=1, seconds=1
    )
    store.put(store.layout.step_report("broken", "train"), report)
    store.put_bytes(store.layout.model("broken"), b"\x80\x04 not a model")
    done = run_steps(("train", whole), ("evaluate", whole), ("evaluate", broken))
    assert store.exists(store.layout.step_report("whole", "evaluate")), done.stderr[-4000:]
    return done


def test_two_workers_on_executors_learn_what_one_learns(store, manifest, make_run, finished):
    """Two processes placed by a barrier stage reach the loss of one process within 1e-4 over the first epoch."""
    report = store.get(store.layout.step_report("whole", "train"), TrainReport)
    assert (report.dataset_id, report.workers, report.epochs) == ("tiny", 2, 2)
    two = store.get(store.layout.history("whole"), History)
    assert two.epochs[-1].loss < two.epochs[0].loss

    alone = make_run("alone", **RECIPE)
    TrainWorker(alone, store, manifest)(Placement(0, ("localhost:1",)))
    one = store.get(store.layout.history("alone"), History)
    assert one.epochs[0].loss == pytest.approx(two.epochs[0].loss, abs=1e-4)
    assert store.get(store.layout.step_progress("alone", "train"), Progress).figures["loss"] > 0


def _model_info(store, run_key: str, folder: Path) -> ModelInfo:
    store.download(store.layout.model(run_key), str(folder / "model.keras"))
    return read_info(folder / "model.keras")


def test_evaluate_scores_the_validation_split_alone(store, finished, tmp_path):
    """Metrics and a row an image; the test split stays untouched unless the run spec asks for it."""
    assert store.get(store.layout.step_report("whole", "evaluate"), EvaluateReport).seconds > 0
    metrics = store.get(store.layout.metrics("whole"), Metrics)
    assert set(metrics.splits) == {"valid"}
    valid = metrics.splits["valid"]
    assert valid.images == 20
    assert valid.mean_auc > 0.7
    assert valid.intervals["mean_auc"].low <= valid.mean_auc <= valid.intervals["mean_auc"].high
    assert valid.isic2017_mean_auc == pytest.approx((valid.auc["melanoma"] + valid.auc["seborrheic_keratosis"]) / 2)
    assert valid.calibration.brier_after > 0
    assert valid.operating_points["melanoma"][0].sensitivity >= 0.82
    assert valid.subgroups["sex: female"].images + valid.subgroups["sex: male"].images == 20
    rows = list(csv.DictReader(io.StringIO(store.get_bytes(store.layout.predictions("whole", "valid")).decode())))
    assert len({row["image_id"] for row in rows}) == 20
    right = sum(row["label"] == row["predicted"] for row in rows)
    assert right / 20 == valid.accuracy
    assert metrics.decision_offsets == _model_info(store, "whole", tmp_path).decision_offsets
    said = np.array([[float(row[name]) for name in metrics.classes] for row in rows])
    named = decide(said, metrics.decision_offsets)
    assert [row["predicted"] for row in rows] == [metrics.classes[index] for index in named]
    assert not store.exists(store.layout.predictions("whole", "test"))


def test_the_model_card_stands_alone_and_says_what_the_model_is(store, finished):
    """One page without links to elsewhere: synthetic, not for clinical use, scores, samples, how to make it again."""
    page = store.get_bytes(store.layout.model_card("whole")).decode()
    metrics = store.get(store.layout.metrics("whole"), Metrics)
    assert not re.findall(r'(?:src|href)="(?!data:)', page.replace('xlink:href="#', ""))
    assert page.count("<svg") == 4
    assert page.count("heat map of") >= 3
    for text in ("Synthetic:", "Not for clinical use", f"{metrics.splits['valid'].mean_auc:.3f}", "skin-tone"):
        assert text in page
    assert '--conf \'{"epochs": 2' in unescape(page)
    assert "c" * 64 in page


def test_what_an_executor_refuses_is_reported_and_not_tried_again(store, finished):
    """The worker's own error reaches the failure report and the exit code, after one attempt of the stage."""
    assert finished.returncode != 0
    report = store.get(store.layout.step_failure("broken", "evaluate"), FailureReport)
    assert report.error == "ModelFileError"
    assert "not a zip archive" in report.message
    assert "train step" in report.remedy
    assert not store.exists(store.layout.step_report("broken", "evaluate"))
