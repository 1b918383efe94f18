"""The end of a sweep: the best trial's network becomes the run's. The driver does it; no executor is needed."""

from __future__ import annotations

from collections.abc import Sequence

from dermaflow_jobs.contract.steps import TrainReport
from dermaflow_jobs.contract.trials import TrialReport
from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.runtime.s3 import Store


def take_best(store: Store, run_key: str, trials: int) -> TrainReport:
    """Copies its model and history to the run's places. Raises JobError where no trial came to an end."""
    best = best_of(read_trials(store, run_key, trials))
    layout, number = store.layout, best.trial.number
    store.copy(layout.trial_history(run_key, number), layout.history(run_key))
    store.copy(layout.trial_model(run_key, number), layout.model(run_key))
    assert best.trained is not None  # noqa: S101 - best_of takes no other
    return best.trained


def read_trials(store: Store, run_key: str, trials: int) -> list[TrialReport]:
    """Those that are over."""
    found = [store.find(store.layout.trial_report(run_key, number), TrialReport) for number in range(trials)]
    return [report for report in found if report is not None]


def best_of(reports: Sequence[TrialReport]) -> TrialReport:
    """By mean AUC on validation; one that was stopped counts as well. The first of equals."""
    able = [report for report in reports if report.trained and report.trial.mean_auc is not None]
    if not able:
        said = ", ".join(f"{report.trial.number} {report.trial.state}" for report in reports) or "none is over"
        raise JobError(
            f"no trial of the sweep has a mean AUC: {said}",
            remedy="Lower learning_rate in sweep_space, or see the trials' own steps for why they failed.",
        )
    return max(able, key=lambda report: (report.trial.mean_auc or 0.0, -report.trial.number))
