"""The train step's driver: checks what can be checked before executors are taken, then hands the work to them."""

from __future__ import annotations

from dermaflow_jobs.contract.dataset import DatasetManifest
from dermaflow_jobs.contract.run_spec import RunSpec
from dermaflow_jobs.contract.steps import PreprocessReport, TrainReport
from dermaflow_jobs.contract.trials import TrialReport
from dermaflow_jobs.models.registry import check_image_size
from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.runtime.placement import run_on_executors, worker_session
from dermaflow_jobs.runtime.step import StepContext
from dermaflow_jobs.train.choose import take_best
from dermaflow_jobs.train.trials import trial_spec
from dermaflow_jobs.train.worker import TrainWorker


def train(context: StepContext) -> None:
    """Reads preprocess's report; leaves model.keras, history.json and its own report, that one last.

    In a run with a sweep each trial is such a step, and one more takes the best trial's network.
    """
    store, layout, run_key, trial = context.store, context.layout, context.run_key, context.trial
    trials = context.spec.options.sweep.sweep_trials
    if trials and trial is None:
        store.put(layout.step_report(run_key, context.key), take_best(store, run_key, trials))
        return
    spec = context.spec if trial is None else trial_spec(context.spec, trial)
    report = _train(context, spec)
    if isinstance(report, TrialReport):
        store.put(layout.trial_report(run_key, report.trial.number), report)
    store.put(layout.step_report(run_key, context.key), report)


def _train(context: StepContext, spec: RunSpec) -> TrainReport | TrialReport:
    options = spec.options.train
    handed_on = context.store.get(context.layout.step_report(context.run_key, "preprocess"), PreprocessReport)
    manifest = context.store.get(context.layout.dataset_manifest(handed_on.dataset_id), DatasetManifest)
    check_classes(manifest)
    check_image_size(options.model, manifest.image_size)
    worker = TrainWorker(spec, context.store, manifest, context.trial)
    spark = worker_session(context.key, options.train_workers)
    reports = run_on_executors(spark, options.train_workers, worker)
    return next(report for report in reports if report is not None)


def check_classes(manifest: DatasetManifest) -> None:
    """Raises JobError unless every class has an image to learn from and there are images to validate on."""
    for split in ("train", "valid"):
        counts = manifest.counts.get(split, {})
        lacking = [label for label in manifest.classes if not counts.get(label)]
        if lacking and (split == "train" or len(lacking) == len(manifest.classes)):
            raise JobError(
                f"dataset {manifest.dataset_id}: no image of {', '.join(lacking)} in the {split} split",
                remedy=f"Add images of {', '.join(lacking)} under raw/, or take the class out of classes.",
            )
