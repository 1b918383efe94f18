"""The step: what the driver does, phase by phase. It holds a row an image (about 1 kB), never pixels."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dermaflow_jobs.contract.dataset import SPLITS, DatasetManifest, Shard
from dermaflow_jobs.contract.inputs import inputs_id
from dermaflow_jobs.contract.steps import PreprocessReport
from dermaflow_jobs.preprocess import checks
from dermaflow_jobs.preprocess.assembly import Assembly, Distinct, Pair, Readable, assemble, find_distinct
from dermaflow_jobs.preprocess.card import write_card
from dermaflow_jobs.preprocess.cluster import run_chunks
from dermaflow_jobs.preprocess.compare import Comparer, candidate_chunks
from dermaflow_jobs.preprocess.decode import DecodeOptions
from dermaflow_jobs.preprocess.duplicates import CandidateFinder, every_two_ranges
from dermaflow_jobs.preprocess.identity import dataset_id, decoder_id, shards_fingerprint
from dermaflow_jobs.preprocess.images import encoding_of
from dermaflow_jobs.preprocess.labels import Label, read_labels
from dermaflow_jobs.preprocess.listing import Listing, RawObject, sort_objects
from dermaflow_jobs.preprocess.packs import TRANSIENT, Outcome, Refusal, read_index
from dermaflow_jobs.preprocess.reasons import Rejected
from dermaflow_jobs.preprocess.shards import ShardPlan, ShardWriter, plan_shards
from dermaflow_jobs.preprocess.split import SplitRule
from dermaflow_jobs.preprocess.tables import write_tables
from dermaflow_jobs.preprocess.worker import Decoder, Source, chunks
from dermaflow_jobs.runtime.spark import executor_slots, spark_session
from dermaflow_jobs.runtime.step import StepContext

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """What is to be made, known before anything is read."""

    context: StepContext
    listing: Listing
    labels: dict[str, Label]
    labels_etag: str | None
    decode: DecodeOptions
    decoder_id: str
    dataset_id: str
    inputs_id: str


def preprocess(context: StepContext) -> None:
    """Leaves a finished dataset and PreprocessReport. A dataset that exists already is used as it is."""
    work = survey(context)
    manifest = context.store.find(context.layout.dataset_manifest(work.dataset_id), DatasetManifest)
    reused = manifest is not None
    if manifest is None:
        manifest = build(work)
    checks.check_quarantined(manifest, context.spec.options.data.max_bad_share, context.layout)
    report = PreprocessReport(
        dataset_id=manifest.dataset_id,
        inputs_id=work.inputs_id,
        reused=reused,
        images=sum(manifest.images(split) for split in SPLITS),
        quarantined=manifest.quarantined,
        seconds=context.seconds(),
    )
    context.store.put(context.layout.step_report(context.run_key, "preprocess"), report)


def survey(context: StepContext) -> Work:
    """List, read labels, name what is to be made."""
    options, layout, store = context.spec.options, context.layout, context.store
    context.progress.report("listing", 0, 1, "folders")
    listed = (
        RawObject(one["Key"], one["Size"], one["ETag"], one["LastModified"]) for one in store.list(layout.raw_prefix())
    )
    until = context.spec.identity.data_until.date()
    labels: dict[str, Label] = {}
    labels_key, labels_etag = layout.raw_labels(), None
    objects = []
    for one in listed:
        if one.key == labels_key:
            labels, labels_etag = read_labels(store.get_bytes(labels_key), layout.uri(labels_key)), one.etag
        objects.append(one)
    listing = sort_objects(objects, raw=layout.raw_prefix(), classes=options.data.classes, until=until)
    checks.check_listing(listing, options.data, layout)
    decode = DecodeOptions(
        size=options.preprocess.image_size,
        max_pixels=options.preprocess.max_megapixels * 10**6,
        colour_constancy=options.preprocess.colour_constancy,
    )
    decoder = decoder_id(decode)
    identity = name_of(context, listing, labels_etag, decoder)
    raw = layout.raw_prefix()
    given = inputs_id(((one.key.removeprefix(raw), one.size, one.etag) for one in objects), until)
    context.progress.report("listing", 1, 1, "folders")
    return Work(context, listing, labels, labels_etag, decode, decoder, identity, given)


def without_vanished(work: Work, outcomes: Sequence[Outcome]) -> tuple[Work, list[Outcome]]:
    """Work under the name that it has without what went away between list and read, and the outcomes of the rest.

    So one name always means one content, also of two runs at once of which only one came in time.
    """
    pairs = list(zip(work.listing.images, outcomes, strict=True))
    gone = [
        Rejected(image.key, image.size, outcome.reason, outcome.detail)
        for image, outcome in pairs
        if isinstance(outcome, Refusal) and outcome.reason in TRANSIENT
    ]
    if not gone:
        return work, list(outcomes)
    log.warning("%d objects went away or changed between list and read, the first: %s", len(gone), gone[0].key)
    listing = work.listing.without(gone)
    left = set(listing.images)
    identity = name_of(work.context, listing, work.labels_etag, work.decoder_id)
    return replace(work, listing=listing, dataset_id=identity), [outcome for image, outcome in pairs if image in left]


def name_of(context: StepContext, listing: Listing, labels_etag: str | None, decoder: str) -> str:
    options, raw = context.spec.options, context.layout.raw_prefix()
    return dataset_id(listing, labels_etag, options.data.classes, options.preprocess, decoder, raw)


def build(work: Work) -> DatasetManifest:
    context, options = work.context, work.context.spec.options
    spark = spark_session("preprocess")
    work, outcomes = without_vanished(work, decode_images(work, spark))
    images = work.listing.images
    refused = [
        Rejected(image.key, image.size, outcome.reason, outcome.detail)
        for image, outcome in zip(images, outcomes, strict=True)
        if isinstance(outcome, Refusal)
    ]
    rejected = [*work.listing.rejected, *refused]
    checks.check_rejected(rejected, work.listing.listed, options.data.max_bad_share, context.layout)
    readable: list[Readable] = [
        (image, outcome) for image, outcome in zip(images, outcomes, strict=True) if not isinstance(outcome, Refusal)
    ]
    distinct = find_distinct(readable)
    pairs = find_pairs(work, spark, distinct)
    chosen = options.preprocess
    rule = SplitRule(chosen.split_salt, chosen.valid_share, chosen.test_share)
    assembly = assemble(readable, distinct, pairs, work.labels, rule)
    rejected += assembly.rejected
    checks.check_rejected(rejected, work.listing.listed, options.data.max_bad_share, context.layout)
    checks.check_classes(assembly, options.data.classes)
    shards = write_shards(work, spark, assembly)
    return finish(work, assembly, rejected, shards)


def decode_images(work: Work, spark: SparkSession) -> list[Outcome]:
    """An outcome per listed image, in order; only those are decoded that no earlier run has decoded."""
    images, context = work.listing.images, work.context
    known = known_outcomes(work)
    sources = [Source(image.key, image.etag, image.size) for image in images if image.content_id not in known]
    log.info("%d images, %d of them decoded before", len(images), len(images) - len(sources))
    tasks = chunks(sources, executor_slots(spark))
    decoder = Decoder(context.store, work.decoder_id, work.decode)
    report = partial(_report, context, "decoding", len(sources))
    fresh = run_chunks(spark, tasks, decoder, len, report)
    report(len(sources))
    by_key = {
        source.key: outcome
        for chunk, outcomes in zip(tasks, fresh, strict=True)
        for source, outcome in zip(chunk, outcomes, strict=True)
    }
    return [by_key.get(image.key) or known[image.content_id] for image in images]


def known_outcomes(work: Work) -> dict[str, Outcome]:
    """What earlier runs decoded with the same decoder, by content, of the images of this run.

    An index counts only while its pack is there, so a lifecycle rule may expire the cache as it likes.
    """
    store, layout = work.context.store, work.context.layout
    wanted = {image.content_id for image in work.listing.images}
    there = {one["Key"] for one in store.list(layout.decoded_prefix(work.decoder_id))}
    packs = [key.rpartition("/")[2].removesuffix(".pack") for key in there if key.endswith(".pack")]
    indexes = [key for pack in packs if (key := layout.decoded_index(work.decoder_id, pack)) in there]
    known: dict[str, Outcome] = {}
    with ThreadPoolExecutor(16) as pool:
        for data in pool.map(store.get_bytes, indexes):
            known.update((one.content_id, one) for one in read_index(data) if one.content_id in wanted)
    return known


def find_pairs(work: Work, spark: SparkSession, distinct: Distinct) -> list[Pair]:
    near = find_candidates(work, spark, [entry.phash for _, entry in distinct.images])
    tasks = candidate_chunks(distinct.images, near)
    report = partial(_report, work.context, "comparing", len(near), unit="pairs")
    found = run_chunks(spark, tasks, Comparer(work.context.store, work.decoder_id), len, report)
    report(len(near))
    return [pair for pairs in found for pair in pairs]


def find_candidates(work: Work, spark: SparkSession, hashes: Sequence[int]) -> list[tuple[int, int]]:
    """On the executors, where it takes more than a second: it takes an hour of one core for a million images."""
    ranges = every_two_ranges(len(hashes))
    find = CandidateFinder(np.array(hashes, dtype=np.uint64))
    if len(ranges) == 1:
        return find(ranges[0])
    report = partial(_report, work.context, "searching", len(ranges), unit="blocks")
    found = run_chunks(spark, ranges, find, _one, report)
    report(len(ranges))
    return [pair for pairs in found for pair in pairs]


def _one(_: object) -> int:
    return 1


def write_shards(work: Work, spark: SparkSession, assembly: Assembly) -> list[Shard]:
    context = work.context
    chosen = context.spec.options
    key_of = partial(context.layout.dataset_shard, work.dataset_id)
    plans = plan_shards(assembly.kept, chosen.data.classes, chosen.preprocess.shard_mb * 10**6, key_of)
    writer = ShardWriter(context.store, work.decoder_id)
    report = partial(_report, context, "writing shards", len(assembly.kept))
    shards = run_chunks(spark, plans, writer, _rows, report)
    report(len(assembly.kept))
    return shards


def _rows(plan: ShardPlan) -> int:
    return len(plan.rows)


def _report(context: StepContext, phase: str, total: int, done: int, unit: str = "images") -> None:
    context.progress.report(phase, done, total, unit)


def finish(work: Work, assembly: Assembly, rejected: Sequence[Rejected], shards: Sequence[Shard]) -> DatasetManifest:
    """Tables, card, and dataset.json, whose existence makes the dataset."""
    context, layout = work.context, work.context.layout
    write_tables(context.store, work.dataset_id, assembly, rejected)
    manifest = describe(work, assembly, rejected, shards)
    write_card(context.store, manifest, assembly)
    context.store.put(layout.dataset_manifest(work.dataset_id), manifest)
    return manifest


def describe(work: Work, assembly: Assembly, rejected: Sequence[Rejected], shards: Sequence[Shard]) -> DatasetManifest:
    context, kept = work.context, assembly.kept
    classes = context.spec.options.data.classes
    counts = Counter((one.split, one.image.label) for one in kept)
    return DatasetManifest(
        dataset_id=work.dataset_id,
        classes=classes,
        image_size=work.decode.size,
        encoding=encoding_of(work.decode.size),
        synthetic=any(one.entry.synthetic for one in kept),
        official_split=any(one.image.split for one in kept),
        counts={split: {label: counts[split, label] for label in classes} for split in SPLITS},
        listed=work.listing.listed,
        quarantined=len(rejected),
        quarantine_reasons=dict(sorted(Counter(one.reason.value for one in rejected).items())),
        duplicates=len(assembly.repeats),
        near_duplicate_pairs=len(assembly.pairs),
        straddling_pairs=sum(pair.straddles for pair in assembly.pairs),
        straddling_groups=len(assembly.straddling),
        metadata=_metadata(assembly),
        shards=tuple(shards),
        images_key=context.layout.dataset_table(work.dataset_id, "images"),
        quarantine_key=context.layout.dataset_table(work.dataset_id, "quarantine"),
        fingerprint=shards_fingerprint(shard.sha256 for shard in shards),
        created_at=datetime.now(UTC),
    )


def _metadata(assembly: Assembly) -> tuple[str, ...]:
    has_age = any(one.about.age is not None for one in assembly.kept)
    has_sex = any(one.about.sex is not None for one in assembly.kept)
    return tuple(name for name, known in (("age", has_age), ("sex", has_sex)) if known)
