"""A job of the contract that hands on what the real one would, after two seconds and without Spark or TensorFlow.

Chaos is about what stands around the jobs, and runs sixty times; with the real ones it would take hours. This file
takes the place of `dermaflow_jobs/<step>/__main__.py` in the bundle that chaos publishes; the step is still started by
spark-submit, in the environment that the bootstrap action built. `--real-jobs` runs the real ones instead.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from dermaflow_jobs.contract.metrics import Metrics, SplitMetrics
from dermaflow_jobs.contract.steps import EvaluateReport, PreprocessReport, TrainReport, VerifyReport
from dermaflow_jobs.contract.trials import Trial, TrialReport
from dermaflow_jobs.runtime.step import StepContext, run_step

STEP = "@step@"
DATASET_ID = "0" * 32


def body(context: StepContext) -> None:
    break_if_told(context)
    hold_if_told(context)
    for done in range(4):
        context.progress.report("pretending", done + 1, 4, "parts")
        time.sleep(0.5)
    layout, run_key, classes = context.layout, context.run_key, context.spec.options.data.classes
    if STEP == "train":
        context.store.put_bytes(layout.model(run_key), b"light")
    if STEP == "evaluate":
        context.store.put_bytes(layout.predictions(run_key, "valid"), predictions(classes))
        context.store.put(layout.metrics(run_key), metrics(run_key, classes))
    reports = {
        "verify": VerifyReport(processes=()),
        "preprocess": PreprocessReport(dataset_id=DATASET_ID, reused=False, images=48, quarantined=0, seconds=2),
        "train": TrainReport(
            dataset_id=DATASET_ID, model="light", parameters=1, workers=1, epochs=1, images_per_second=1, seconds=2
        ),
        "evaluate": EvaluateReport(seconds=2),
    }
    report = reports[STEP]
    if context.trial is not None:
        trial = Trial(number=context.trial, given={}, state="finished", epochs=1, mean_auc=0.5)
        report = TrialReport(trial=trial, trained=reports["train"])
    context.store.put(layout.step_report(run_key, context.key), report)


def break_if_told(context: StepContext) -> None:
    """An object for each time that the step shall fail."""
    for found in context.store.list(f"{context.layout.prefix}chaos/break-{STEP}/"):
        context.store.delete(found["Key"])
        raise RuntimeError("broken on purpose")


def hold_if_told(context: StepContext) -> None:
    """At work until the object goes, or for a minute."""
    for _ in range(60):
        if not context.store.exists(f"{context.layout.prefix}chaos/hold-{STEP}"):
            return
        time.sleep(1)


def predictions(classes: tuple[str, ...]) -> bytes:
    """One image a class, each answer the same: what `metrics` tells of."""
    chance = ",".join([f"{1 / len(classes):.6f}"] * len(classes))
    rows = [f"{number},raw/{number}.jpg,,{label},{classes[0]},{chance}" for number, label in enumerate(classes)]
    return "\n".join([f"image_id,key,group,label,predicted,{','.join(classes)}", *rows, ""]).encode()


def metrics(run_key: str, classes: tuple[str, ...]) -> Metrics:
    """Chance level on three images, marked as synthetic."""
    count = len(classes)
    chance = SplitMetrics(
        images=count,
        images_per_class=dict.fromkeys(classes, 1),
        accuracy=1 / count,
        balanced_accuracy=1 / count,
        auc=dict.fromkeys(classes, 0.5),
        mean_auc=0.5,
        confusion=tuple(tuple(int(column == 0) for column in range(count)) for _ in range(count)),
    )
    return Metrics(
        run_key=run_key,
        dataset_id=DATASET_ID,
        classes=classes,
        image_size=32,
        model="light",
        synthetic=True,
        train_images=count,
        splits={"valid": chance},
        created_at=datetime.now(UTC),
    )


if __name__ == "__main__":
    run_step(STEP, body)  # type: ignore[arg-type]
