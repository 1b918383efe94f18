"""Runs, datasets, cards and champions as the pipeline writes them to S3, for tests of the pages that read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dermaflow_jobs.contract.champion import Champion
from dermaflow_jobs.contract.dataset import DatasetManifest
from dermaflow_jobs.contract.ledger import LedgerRecord, table
from dermaflow_jobs.contract.metrics import Epoch, History, Interval, Metrics, SplitMetrics
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.run_spec import CodeRef, RunIdentity, RunSpec
from dermaflow_jobs.contract.s3_layout import Layout

CLASSES = ("melanoma", "nevus", "seborrheic_keratosis")
START = datetime(2026, 9, 7, 3, tzinfo=UTC)
DATASET = "d" * 64


@dataclass(frozen=True)
class Project:
    """One storage root, and what is put below it."""

    s3: Any
    root: str

    @property
    def layout(self) -> Layout:
        return Layout.of(self.root)

    def put(self, key: str, body: str) -> None:
        self.s3.put_object(Bucket=self.layout.bucket, Key=key, Body=body.encode())

    def run(self, week: int, *, model: str = "small_cnn", dataset_id: str = DATASET, **options: Any) -> LedgerRecord:
        """A finished run with its spec, history and card; the ledger's table is written by `tables`."""
        record = make_record(week, model=model, dataset_id=dataset_id)
        key = record.run_key
        train = RunOptions().train.model_copy(update={"model": model, **options})
        self.put(self.layout.ledger_run(key), record.to_json())
        self.put(self.layout.run_spec(key), make_spec(record, self.root, train=train).to_json())
        self.put(self.layout.history(key), make_history().to_json())
        self.put(self.layout.model_card(key), f"<!doctype html><title>Card</title><p>The card of {key}</p>")
        return record

    def tables(self, *records: LedgerRecord) -> None:
        self.put(self.layout.ledger_csv(), table(list(records)))

    def dataset(self, dataset_id: str = DATASET) -> None:
        self.put(self.layout.dataset_manifest(dataset_id), make_manifest(dataset_id).to_json())
        self.put(self.layout.dataset_card(dataset_id), "<!doctype html><title>Dataset</title><p>Samples</p>")

    def crown(self, record: LedgerRecord, number: int = 1) -> None:
        champion = make_champion(record, self.layout, number)
        self.put(self.layout.champion(), champion.to_json())
        self.put(self.layout.champion_history(number), champion.to_json())


def make_record(week: int, *, model: str, dataset_id: str) -> LedgerRecord:
    at = START + timedelta(weeks=week)
    run_key = f"lesion_training={at:%Y-%m-%dT%H-%M-%SZ}"
    auc = 0.7 + 0.01 * week
    valid = SplitMetrics(
        images=150,
        images_per_class=dict(zip(CLASSES, (30, 78, 42), strict=True)),
        accuracy=0.55 + 0.01 * week,
        balanced_accuracy=0.54,
        auc=dict.fromkeys(CLASSES, auc),
        mean_auc=auc,
        confusion=((20, 5, 5), (10, 60, 8), (7, 10, 25)),
        intervals={"mean_auc": Interval(low=auc - 0.06, high=auc + 0.05)},
        sensitivity=dict.fromkeys(CLASSES, 0.6),
        specificity=dict.fromkeys(CLASSES, 0.8),
    )
    metrics = Metrics(
        run_key=run_key,
        dataset_id=dataset_id,
        classes=CLASSES,
        image_size=100,
        model=model,
        synthetic=True,
        train_images=400 + 100 * week,
        splits={"valid": valid},
        created_at=at,
    )
    return LedgerRecord(
        run_key=run_key,
        run_id=f"scheduled__{at:%Y-%m-%dT%H:%M:%S}+00:00",
        logical_date=at,
        recorded_at=at + timedelta(hours=1),
        code_id="c" * 64,
        cluster_id="j-3F6C8A",
        metrics=metrics,
        data_until=at + timedelta(weeks=1),
        run_type="scheduled",
    )


def make_spec(record: LedgerRecord, root: str, **parts: Any) -> RunSpec:
    identity = RunIdentity(
        run_key=record.run_key,
        dag_id="lesion_training",
        run_id=record.run_id,
        logical_date=record.logical_date,
        data_until=record.recorded_at,
    )
    code = CodeRef(code_id="c" * 64, environment_id="e" * 64)
    return RunSpec(root=root, code=code, identity=identity, options=RunOptions(**parts))


def make_history() -> History:
    epochs = [
        Epoch(epoch=n, loss=1 / n, valid_loss=1.1 / n, valid_accuracy=0.5, mean_auc=0.6 + 0.02 * n, seconds=3)
        for n in range(1, 6)
    ]
    return History(epochs=tuple(epochs), best_epoch=5)


def make_manifest(dataset_id: str) -> DatasetManifest:
    counts = dict(zip(CLASSES, (100, 200, 100), strict=True))
    return DatasetManifest(
        dataset_id=dataset_id,
        classes=CLASSES,
        image_size=100,
        synthetic=True,
        official_split=False,
        counts={"train": counts, "valid": counts, "test": {}},
        listed=803,
        quarantined=3,
        quarantine_reasons={"truncated": 3},
        duplicates=0,
        shards=(),
        images_key="images.csv",
        quarantine_key="quarantine.csv",
        fingerprint="f" * 64,
        created_at=START,
    )


def make_champion(record: LedgerRecord, layout: Layout, number: int) -> Champion:
    valid = record.metrics.splits["valid"]
    assert valid.mean_auc is not None
    return Champion(
        number=number,
        run_key=record.run_key,
        dataset_id=record.metrics.dataset_id,
        model_key=layout.model(record.run_key),
        mean_auc=valid.mean_auc,
        mean_auc_interval=valid.intervals["mean_auc"],
        valid_images=valid.images,
        synthetic=True,
        crowned_at=record.recorded_at,
        why="there was no champion",
    )
