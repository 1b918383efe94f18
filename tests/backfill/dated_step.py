"""A job of the contract that counts the images its run may see, in place of Spark's and TensorFlow's work.

A backfill is about which run sees what, what is kept and what is found again; with the real jobs it would take an hour.
This file takes the place of `dermaflow_jobs/<step>/__main__.py` in a code bundle of the test's own; the step is still
started by spark-submit on a cluster. The more images, the better the "model": so that it is worth promoting.
"""

from __future__ import annotations

import csv
import io
import random
from datetime import UTC, datetime

from dermaflow_jobs.contract.cost import cost_in_card
from dermaflow_jobs.contract.inputs import inputs_id, is_seen
from dermaflow_jobs.contract.metrics import Metrics, SplitMetrics
from dermaflow_jobs.contract.steps import EvaluateReport, PreprocessReport, TrainReport, VerifyReport
from dermaflow_jobs.runtime.step import StepContext, run_step

STEP = "@step@"
HELD_OUT = 60


def body(context: StepContext) -> None:
    report = {"verify": verify, "preprocess": preprocess, "train": train, "evaluate": evaluate}[STEP](context)
    context.store.put(context.layout.step_report(context.run_key, STEP), report)


def verify(context: StepContext) -> VerifyReport:
    return VerifyReport(processes=())


def preprocess(context: StepContext) -> PreprocessReport:
    """A dataset is a mark in its folder; one that is there is found again."""
    layout, raw = context.layout, context.layout.raw_prefix()
    until = context.spec.identity.data_until.date()
    objects = [(one["Key"].removeprefix(raw), one["Size"], one["ETag"]) for one in context.store.list(raw)]
    name = inputs_id(objects, until)
    mark = f"{layout.dataset_prefix(name)}mark"
    reused = context.store.exists(mark)
    context.store.put_bytes(mark, b"")
    images = sum(is_seen(path, until) for path, _, _ in objects)
    return PreprocessReport(
        dataset_id=name, inputs_id=name, reused=reused, images=images, quarantined=0, seconds=context.seconds()
    )


def train(context: StepContext) -> TrainReport:
    found = context.store.get(context.layout.step_report(context.run_key, "preprocess"), PreprocessReport)
    context.store.put_bytes(context.layout.model(context.run_key), f"learned from {found.images}".encode())
    return TrainReport(
        dataset_id=found.dataset_id, model="light", parameters=1, workers=1, epochs=1, images_per_second=1, seconds=1
    )


def evaluate(context: StepContext) -> EvaluateReport:
    layout, run_key, classes = context.layout, context.run_key, context.spec.options.data.classes
    found = context.store.get(layout.step_report(run_key, "preprocess"), PreprocessReport)
    context.store.put_bytes(layout.predictions(run_key, "valid"), answers(found.images, classes))
    context.store.put_bytes(layout.model_card(run_key), f"<p>{cost_in_card()}</p>".encode())
    valid = SplitMetrics(
        images=HELD_OUT, images_per_class=dict.fromkeys(classes, HELD_OUT // len(classes)), accuracy=0.5,
        balanced_accuracy=0.5, auc=dict.fromkeys(classes, 0.5), mean_auc=0.5 + found.images / 1000, confusion=(),
    )  # fmt: skip
    metrics = Metrics(
        run_key=run_key, dataset_id=found.dataset_id, classes=classes, image_size=32, model="light", synthetic=True,
        train_images=found.images, splits={"valid": valid}, created_at=datetime.now(UTC),
    )  # fmt: skip
    context.store.put(layout.metrics(run_key), metrics)
    return EvaluateReport(seconds=context.seconds())


def answers(images: int, classes: tuple[str, ...]) -> bytes:
    """About the same held-out images each time; the right class stands out the more, the more images there were."""
    noise = random.Random(7)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["image_id", "key", "group", "label", "predicted", *classes])
    for number in range(HELD_OUT):
        label = number % len(classes)
        weights = [noise.random() + (images / 200 if k == label else 0) for k in range(len(classes))]
        share = [weight / sum(weights) for weight in weights]
        best = classes[share.index(max(share))]
        writer.writerow([number, f"raw/held-out-{number}.jpg", "", classes[label], best, *share])
    return out.getvalue().encode()


run_step(STEP, body)
