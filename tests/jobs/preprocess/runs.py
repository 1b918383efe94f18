"""Runs the step as Spark's driver does, and reads back what it left."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dermaflow_jobs.contract.dataset import DatasetManifest
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.run_spec import CodeRef, RunIdentity, RunSpec
from dermaflow_jobs.contract.steps import PreprocessReport
from dermaflow_jobs.preprocess.job import preprocess
from dermaflow_jobs.runtime.s3 import Store, s3_client
from dermaflow_jobs.runtime.step import run_step

SIZE = 64


@dataclass(frozen=True)
class Outcome:
    """A finished run's artefacts. Keys in the tables are below raw/."""

    report: PreprocessReport
    manifest: DatasetManifest
    images: dict[str, dict[str, str]]
    quarantine: dict[str, dict[str, str]]
    duplicates: dict[str, dict[str, str]]
    near_duplicates: list[dict[str, str]]
    straddling_groups: list[dict[str, str]]

    def splits(self) -> dict[str, str]:
        return {key: row["split"] for key, row in self.images.items()}


def upload(store: Store, files: Mapping[str, bytes]) -> None:
    for key, body in files.items():
        s3_client().put_object(Bucket=store.layout.bucket, Key=store.layout.raw_prefix() + key, Body=body)


def run(store: Store, run_key: str, **choices: Any) -> Outcome:
    """See `spec_uri`. Raises what the step raises."""
    run_step("preprocess", preprocess, ["--run-spec", spec_uri(store, run_key, **choices)])
    return outcome(store, run_key)


def spec_uri(
    store: Store,
    run_key: str,
    *,
    until: datetime = datetime(2026, 6, 1, tzinfo=UTC),
    data: Mapping[str, Any] | None = None,
    **preprocess_options: Any,
) -> str:
    """Of a run spec written for it."""
    options = {"data": data or {}, "preprocess": {"image_size": SIZE, "shard_mb": 1, **preprocess_options}}
    spec = RunSpec(
        root=f"s3://{store.layout.bucket}/{store.layout.prefix.strip('/')}",
        code=CodeRef(code_id="0" * 64, environment_id="0" * 64),
        identity=RunIdentity(run_key=run_key, dag_id="d", run_id="r", logical_date=until, data_until=until),
        options=RunOptions.parse(options),
    )
    key = store.layout.run_spec(run_key)
    store.put(key, spec)
    return store.layout.uri(key)


def outcome(store: Store, run_key: str) -> Outcome:
    report = store.get(store.layout.step_report(run_key, "preprocess"), PreprocessReport)
    manifest = store.get(store.layout.dataset_manifest(report.dataset_id), DatasetManifest)

    def rows(name: str) -> list[dict[str, str]]:
        text = store.get_bytes(store.layout.dataset_table(report.dataset_id, name)).decode()
        return list(csv.DictReader(io.StringIO(text)))

    def by_key(name: str) -> dict[str, dict[str, str]]:
        return {row["key"].removeprefix(store.layout.raw_prefix()): row for row in rows(name)}

    return Outcome(
        report,
        manifest,
        by_key("images"),
        by_key("quarantine"),
        by_key("duplicates"),
        rows("near_duplicates"),
        rows("straddling_groups"),
    )


def records(store: Store, manifest: DatasetManifest) -> list[tuple[str, str, Any]]:
    """Split, class and parsed Example of every record, read as training reads them."""
    import tensorflow as tf

    found = []
    for shard in manifest.shards:
        with tempfile.NamedTemporaryFile() as file:
            store.download(shard.key, file.name)
            every = [tf.train.Example.FromString(raw.numpy()) for raw in tf.data.TFRecordDataset(file.name)]
        found += [(shard.split, shard.label, one.features.feature) for one in every]
    return found
