"""The evaluate step's driver: one executor does the work."""

from __future__ import annotations

from dermaflow_jobs.contract.dataset import DatasetManifest, Split
from dermaflow_jobs.contract.steps import EvaluateReport, TrainReport
from dermaflow_jobs.evaluate.worker import EvaluateWorker
from dermaflow_jobs.runtime.placement import run_on_executors, worker_session
from dermaflow_jobs.runtime.step import StepContext


def evaluate(context: StepContext) -> None:
    """Reads train's report and model.keras; leaves predictions, the model card, metrics.json and its own report.

    The test split is read only when the run spec asks for it.
    """
    trained = context.store.get(context.layout.step_report(context.run_key, "train"), TrainReport)
    manifest = context.store.get(context.layout.dataset_manifest(trained.dataset_id), DatasetManifest)
    splits: tuple[Split, ...] = ("valid", "test") if context.spec.options.evaluate.use_test_split else ("valid",)
    worker = EvaluateWorker(context.spec, context.store, manifest, splits)
    (metrics,) = run_on_executors(worker_session("evaluate", 1), 1, worker)
    context.store.put(context.layout.metrics(context.run_key), metrics)
    report = EvaluateReport(seconds=context.seconds())
    context.store.put(context.layout.step_report(context.run_key, "evaluate"), report)
