"""The step: list, score on the executors, compare with the training set, write; score.json last."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from dermaflow_jobs.contract.dataset import DatasetManifest
from dermaflow_jobs.contract.score import ScoreManifest, ScoreTask
from dermaflow_jobs.contract.steps import ScoreReport
from dermaflow_jobs.models.saved import ModelInfo, read_info
from dermaflow_jobs.preprocess.cluster import run_chunks
from dermaflow_jobs.preprocess.identity import decoder_id
from dermaflow_jobs.preprocess.listing import RawObject
from dermaflow_jobs.preprocess.reasons import Rejected
from dermaflow_jobs.preprocess.worker import chunks
from dermaflow_jobs.runtime.errors import JobError
from dermaflow_jobs.runtime.spark import executor_slots, spark_session
from dermaflow_jobs.runtime.step import StepContext
from dermaflow_jobs.score import statistics
from dermaflow_jobs.score.drift import Reference, column, compare
from dermaflow_jobs.score.listing import NewImages, score_id, sort_objects
from dermaflow_jobs.score.page import page
from dermaflow_jobs.score.tables import write_failures, write_predictions
from dermaflow_jobs.score.worker import ModelRef, ReferenceScorer, Scored, Scorer, decode_options, samples

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DECIDING: Final = (
    "score/drift.py", "score/listing.py", "score/statistics.py", "score/tables.py", "score/worker.py",
    "models/decision.py",
)  # fmt: skip
"""Modules whose code decides what comes out."""
MOST_REFERENCE_IMAGES: Final = 4000


@dataclass(frozen=True)
class Work:
    """What is to be done, known before any image is read."""

    context: StepContext
    task: ScoreTask
    images: NewImages
    model: ModelRef
    info: ModelInfo
    code: str
    score_id: str


def score(context: StepContext) -> None:
    """Leaves finished scores and ScoreReport. Scores of the same images by the same model are used as they are."""
    work = survey(context)
    manifest = context.store.find(context.layout.score_manifest(work.score_id), ScoreManifest)
    reused = manifest is not None
    if manifest is None:
        manifest = build(work)
    threshold = work.task.options.drift_threshold
    report = ScoreReport(
        score_id=work.score_id,
        reused=reused,
        images=manifest.images,
        failed=sum(manifest.failures.values()),
        drifted=tuple(drift.name for drift in manifest.drift if drift.is_above(threshold)),
        seconds=context.seconds(),
    )
    context.store.put(context.layout.step_report(context.run_key, "score"), report)


def survey(context: StepContext) -> Work:
    task, layout, store = context.spec.score, context.layout, context.store
    if task is None:
        raise JobError("the run spec is one of a training run", remedy="Start the DAG lesion_scoring.")
    context.progress.report("listing", 0, 1, "folders")
    prefix = layout.new_images_prefix(task.options.images)
    images = sort_objects(
        RawObject(one["Key"], one["Size"], one["ETag"], one["LastModified"]) for one in store.list(prefix)
    )
    if not images.sources:
        raise JobError(
            f"{layout.uri(prefix)} holds no image, and {len(images.rejected):,} other objects",
            remedy="Upload images there, or give another folder.",
        )
    model = ModelRef(store, task.champion.model_key, store.etag(task.champion.model_key))
    info = _info(model)
    code = f"{_sources()} {decoder_id(decode_options(info))}"
    context.progress.report("listing", 1, 1, "folders")
    identity = score_id(images, model_key=model.key, model_etag=model.etag, code=code)
    return Work(context, task, images, model, info, code, identity)


def build(work: Work) -> ScoreManifest:
    spark = spark_session("score")
    reference = find_reference(work, spark)
    parts = score_images(work, spark)
    check(work, parts)
    manifest = describe(work, parts, reference)
    store, layout = work.context.store, work.context.layout
    about = {"dermaflow.score_id": work.score_id, "dermaflow.run_key": work.info.run_key}
    write_predictions(store, manifest.predictions_key, parts, work.info.classes, about)
    write_failures(store, manifest.failures_key, _failures(work, parts))
    html = page(manifest, work.task.options.drift_threshold).encode()
    store.put_bytes(layout.score_drift(work.score_id), html, content_type="text/html; charset=utf-8")
    store.put(layout.score_manifest(work.score_id), manifest)
    return manifest


def score_images(work: Work, spark: SparkSession) -> list[Scored]:
    sources = work.images.sources
    report = partial(_report, work.context, "scoring", len(sources))
    parts = run_chunks(spark, chunks(sources, executor_slots(spark)), Scorer(work.model), len, report)
    report(len(sources))
    return parts


def find_reference(work: Work, spark: SparkSession) -> Reference:
    """Made by the first scoring run of a model, and kept beside it."""
    store, layout, champion = work.context.store, work.context.layout, work.task.champion
    key = layout.score_reference(champion.run_key)
    kept = store.find(key, Reference)
    if kept and (kept.code, kept.model_etag) == (work.code, work.model.etag):
        return kept
    manifest = store.get(layout.dataset_manifest(champion.dataset_id), DatasetManifest)
    chosen = samples([shard for shard in manifest.shards if shard.split == "valid"], MOST_REFERENCE_IMAGES)
    total = sum(sample.images for sample in chosen)
    report = partial(_report, work.context, "scoring the validation split", total)
    scorer = ReferenceScorer(work.model, work.info.image_size)
    values = np.concatenate(run_chunks(spark, chosen, scorer, lambda sample: sample.images, report))
    names = statistics.names(work.info.classes)
    reference = Reference(
        code=work.code,
        model_etag=work.model.etag,
        images=len(values),
        columns=tuple(column(name, values[:, number]) for number, name in enumerate(names)),
    )
    store.put(key, reference)
    return reference


def check(work: Work, parts: Sequence[Scored]) -> None:
    """Raises JobError where the answers are worth nothing, before any of them is written."""
    images = sum(len(part.sources) for part in parts)
    prefix = work.context.layout.uri(work.context.layout.new_images_prefix(work.task.options.images))
    if not images:
        reasons = Counter(one.reason.value for one in _failures(work, parts))
        told = ", ".join(f"{count:,} × {reason}" for reason, count in reasons.most_common())
        raise JobError(f"no object below {prefix} is a readable image: {told}", remedy="Upload images there.")
    real = images - sum(part.synthetic for part in parts)
    if work.info.synthetic and real:
        raise JobError(
            f"the champion learned from drawn images, and {real:,} of {images:,} images below {prefix} are real:"
            " what it says of them means nothing",
            remedy="Train on real images first; their model becomes the champion by itself.",
        )


def describe(work: Work, parts: Sequence[Scored], reference: Reference) -> ScoreManifest:
    layout, info = work.context.layout, work.info
    answers = np.concatenate([part.predicted for part in parts])
    values = np.concatenate([part.statistics for part in parts if len(part.sources)])
    return ScoreManifest(
        score_id=work.score_id,
        images_prefix=work.task.options.images,
        model_key=work.model.key,
        model_etag=work.model.etag,
        run_key=work.task.champion.run_key,
        dataset_id=work.task.champion.dataset_id,
        classes=info.classes,
        synthetic_model=info.synthetic,
        listed=work.images.listed,
        images=len(answers),
        synthetic_images=sum(part.synthetic for part in parts),
        failures=dict(sorted(Counter(one.reason.value for one in _failures(work, parts)).items())),
        predicted={name: int((answers == number).sum()) for number, name in enumerate(info.classes)},
        drift=compare(reference, values),
        reference_images=reference.images,
        predictions_key=layout.score_predictions(work.score_id),
        failures_key=layout.score_failures(work.score_id),
        created_at=datetime.now(UTC),
    )


def _failures(work: Work, parts: Sequence[Scored]) -> list[Rejected]:
    return sorted([*work.images.rejected, *(one for part in parts for one in part.failures)], key=lambda one: one.key)


def _info(model: ModelRef) -> ModelInfo:
    with tempfile.TemporaryDirectory(prefix="dermaflow-score-") as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(model.read())
        return read_info(path)


def _sources() -> str:
    package = resources.files("dermaflow_jobs")
    return hashlib.sha256(b"".join(package.joinpath(name).read_bytes() for name in DECIDING)).hexdigest()[:16]


def _report(context: StepContext, phase: str, total: int, done: int) -> None:
    context.progress.report(phase, done, total, "images")
