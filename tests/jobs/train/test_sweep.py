"""A sweep: which options each trial gets, when one is hopeless, and whose network goes on."""

from __future__ import annotations

import numpy as np
import pytest

from dermaflow_jobs.contract.failure import FailureReport
from dermaflow_jobs.contract.metrics import Epoch, History, Metrics
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.steps import TrainReport
from dermaflow_jobs.contract.trials import Trial, TrialReport
from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.runtime.placement import Placement
from dermaflow_jobs.train.choose import best_of, take_best
from dermaflow_jobs.train.rivals import Rivals
from dermaflow_jobs.train.trials import given_to, trial_spec
from dermaflow_jobs.train.worker import TrainWorker

ALONE = Placement(0, ("localhost:1",))
SPACE = {
    "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "samples_per_class": {"low": 20, "high": 40},
    "augment": [True, False],
}


def with_sweep(spec, **sweep):
    options = RunOptions.model_validate({**spec.options.model_dump(), "sweep": sweep})
    return spec.model_copy(update={"options": options})


def test_trials_fill_the_space_and_are_the_same_for_everybody(make_run):
    """Within the ranges, spread over them, whole numbers where the option is one; another seed draws others."""
    spec = with_sweep(make_run("space"), sweep_trials=16, sweep_space=SPACE)
    trials = [given_to(spec, number) for number in range(16)]
    assert trials == [given_to(spec, number) for number in range(16)]
    rates = np.log10([trial["learning_rate"] for trial in trials])
    assert np.histogram(rates, bins=4, range=(-4, -2))[0].tolist() == [4, 4, 4, 4]
    assert {type(trial["samples_per_class"]) for trial in trials} == {int}
    assert {trial["augment"] for trial in trials} == {True, False}
    assert trial_spec(spec, 3).options.train.learning_rate == trials[3]["learning_rate"]
    other = spec.options.model_copy(update={"train": spec.options.train.model_copy(update={"seed": 1})})
    assert given_to(spec.model_copy(update={"options": other}), 3) != trials[3]


def test_a_grid_is_gone_through_without_repeating(make_run):
    grid = {"ema": [0.9, 0.99], "augment": [True, False], "label_smoothing": [0, 0.1]}
    spec = with_sweep(make_run("grid"), sweep_trials=8, sweep_space=grid)
    assert len({tuple(given_to(spec, number).values()) for number in range(8)}) == 8


def history(*aucs: float) -> History:
    epochs = tuple(
        Epoch(epoch=n, loss=1, valid_loss=1, valid_accuracy=0.5, mean_auc=auc, seconds=1)
        for n, auc in enumerate(aucs, start=1)
    )
    return History(epochs=epochs, best_epoch=len(epochs))


def test_a_trial_is_hopeless_below_the_median_of_the_others_at_the_same_epoch(store):
    """Not in its first epochs, not against one other, and what the others reached later does not count."""
    rivals = Rivals(store, "rivals", trial=0, trials=4)
    own = history(0.5, 0.6, 0.65, 0.6).epochs
    assert not rivals.is_hopeless(own)
    store.put(store.layout.trial_history("rivals", 1), history(0.6, 0.7, 0.7, 0.9))
    assert not rivals.is_hopeless(own)
    store.put(store.layout.trial_history("rivals", 2), history(0.5, 0.64, 0.6, 0.6, 0.99))
    assert rivals.is_hopeless(own)
    assert not rivals.is_hopeless(own[:2])
    store.put(store.layout.trial_history("rivals", 3), history(0.3))
    assert not rivals.is_hopeless(own)


def report(number: int, state: str, auc: float | None) -> TrialReport:
    trained = TrainReport(
        dataset_id="d", model="m", parameters=1, workers=1, epochs=1, images_per_second=1, seconds=1, trial=number
    )
    trial = Trial(number=number, given={}, state=state, epochs=1, mean_auc=auc)
    return TrialReport(trial=trial, trained=trained if auc is not None else None)


def test_the_best_by_validation_goes_on(store):
    reports = [report(0, "diverged", None), report(1, "finished", 0.8), report(2, "stopped", 0.7)]
    assert best_of(reports).trial.number == 1
    assert best_of([*reports, report(3, "finished", 0.8)]).trial.number == 1
    with pytest.raises(JobError, match="no trial of the sweep has a mean AUC: 0 diverged"):
        best_of(reports[:1])
    with pytest.raises(JobError, match="none is over"):
        take_best(store, "nothing-there", 3)


@pytest.fixture(scope="module")
def swept(store, manifest, make_run, run_steps):
    """Two of three trials in this process, of which one diverges; the third, the choice and the evaluation as steps."""
    space = {"learning_rate": [1e-5, 0.004, 1.0], "weight_decay": [0.0]}
    recipe = {"epochs": 4, "samples_per_class": 48, "batch_size": 16, "eight_views": False, "ema": 0.5}
    spec = with_sweep(make_run("sweep", **recipe), sweep_trials=3, sweep_space=space)
    store.put(store.layout.run_spec("sweep"), spec)
    by_rate = {given_to(spec, number)["learning_rate"]: number for number in range(3)}
    for rate in (0.004, 1.0):
        number = by_rate[rate]
        done = TrainWorker(trial_spec(spec, number), store, manifest, number)(ALONE)
        store.put(store.layout.trial_report("sweep", number), done)
    done = run_steps(("train", spec, by_rate[1e-5]), ("train", spec), ("evaluate", spec))
    assert done.returncode == 0, done.stderr[-3000:]
    return by_rate


def test_a_sweep_leaves_the_best_network_and_all_trials_in_the_metrics(store, swept):
    """The run's model is the best trial's, and the ledger's metrics say of every trial what it was given."""
    best = store.get(store.layout.step_report("sweep", "train"), TrainReport)
    assert best.trial == swept[0.004]
    assert best.given["learning_rate"] == 0.004
    assert store.get_bytes(store.layout.model("sweep")) == store.get_bytes(
        store.layout.trial_model("sweep", best.trial)
    )
    trials = {trial.given["learning_rate"]: trial for trial in store.get(store.layout.metrics("sweep"), Metrics).trials}
    assert trials[0.004].state == "finished"
    assert trials[0.004].mean_auc > trials[1e-5].mean_auc
    assert trials[1.0].state in {"diverged", "finished", "stopped"}
    page = store.get_bytes(store.layout.model_card("sweep")).decode()
    assert "Trials of the sweep" in page
    assert not store.find(store.layout.step_failure("sweep", f"train-trial-{swept[1e-5]:03d}"), FailureReport)
