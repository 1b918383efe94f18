"""Train and evaluate as EMR runs them: a process each, with Spark, from one run spec."""

from __future__ import annotations

import csv
import io

from dermaflow_jobs.contract.metrics import History, Metrics
from dermaflow_jobs.contract.steps import EvaluateReport, TrainReport


def test_train_then_evaluate(store, make_run, run_module):
    """From shards to model.keras, history, metrics and predictions, on executors; the test split stays untouched."""
    spec = make_run("whole", epochs=3, samples_per_class=64, batch_size=16)
    trained = run_module("train", spec)
    assert trained.returncode == 0, trained.stderr[-4000:]
    report = store.get(store.layout.step_report("whole", "train"), TrainReport)
    history = store.get(store.layout.history("whole"), History)
    assert (report.dataset_id, report.workers, report.epochs) == ("tiny", 1, 3)
    assert history.epochs[-1].loss < history.epochs[0].loss

    evaluated = run_module("evaluate", spec)
    assert evaluated.returncode == 0, evaluated.stderr[-4000:]
    assert store.get(store.layout.step_report("whole", "evaluate"), EvaluateReport).seconds > 0
    metrics = store.get(store.layout.metrics("whole"), Metrics)
    assert set(metrics.splits) == {"valid"}
    valid = metrics.splits["valid"]
    assert valid.images == 20
    assert valid.mean_auc > 0.8
    rows = list(csv.DictReader(io.StringIO(store.get_bytes(store.layout.predictions("whole", "valid")).decode())))
    assert len({row["image_id"] for row in rows}) == 20
    right = sum(row["label"] == row["predicted"] for row in rows)
    assert right / 20 == valid.accuracy
    assert not store.exists(store.layout.predictions("whole", "test"))
