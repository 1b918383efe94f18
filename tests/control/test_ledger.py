"""Twenty runs at once lose no row; the same run again replaces its own."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_account import Account
from fake_run import FakeRun

from dermaflow.errors import ResultMissing
from dermaflow.ledger import amend_record, read_ledger, record_run
from dermaflow.operators.gather_metrics import GatherMetricsOperator
from dermaflow.run import run_spec
from dermaflow.storage import Storage
from dermaflow_jobs.contract.champion import Promotion
from dermaflow_jobs.contract.cost import RunCost
from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.metrics import Metrics, SplitMetrics
from dermaflow_jobs.contract.options import RunOptions
from dermaflow_jobs.contract.run_spec import CodeRef
from dermaflow_jobs.contract.s3_layout import Layout

BEGAN = datetime(2026, 11, 1, 3, tzinfo=UTC)


def metrics(run_key: str, *, auc: float | None = 0.8, accuracy: float = 0.5, day: int = 0, **changes: Any) -> Metrics:
    valid = SplitMetrics(
        images=150, images_per_class={"a": 75, "b": 75}, accuracy=accuracy, balanced_accuracy=accuracy,
        auc={"a": auc, "b": auc}, mean_auc=auc, confusion=((40, 35), (40, 35)),
    )  # fmt: skip
    fields = {
        "run_key": run_key, "dataset_id": "d" * 16, "classes": ("a", "b"), "image_size": 100, "model": "small_cnn",
        "synthetic": False, "train_images": 1000, "splits": {"valid": valid},
        "created_at": BEGAN + timedelta(days=day),
    } | changes  # fmt: skip
    return Metrics(**fields)


def record(found: Metrics) -> LedgerRecord:
    return LedgerRecord(
        run_key=found.run_key, run_id=found.run_key, logical_date=None, recorded_at=found.created_at,
        code_id="c" * 64, cluster_id="j-1", metrics=found,
    )  # fmt: skip


@pytest.fixture
def storage(account: Account, bucket: str) -> Storage:
    return Storage(Layout.of(f"s3://{bucket}/project"), account.s3)


def rows(storage: Storage) -> list[dict[str, str]]:
    found = storage.read(storage.layout.ledger_csv())
    assert found
    return list(csv.DictReader(io.StringIO(found.body.decode())))


def test_twenty_writers_at_once_lose_nothing(account: Account, storage: Storage) -> None:
    """Every record, every row of both tables, none twice."""
    stores = [Storage(storage.layout, account.client("s3")) for _ in range(20)]
    records = [record(metrics(f"run-{n:02}", day=n)) for n in range(20)]
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(record_run, stores, records))
    assert [row["run_key"] for row in rows(storage)] == [each.run_key for each in records]
    text = storage.read(storage.layout.ledger_text())
    assert text
    assert len(text.body.decode().splitlines()) == 20
    assert {each.run_key for each in read_ledger(storage)} == {each.run_key for each in records}


def test_the_same_run_again_replaces_its_own_row(storage: Storage) -> None:
    for accuracy in (0.4, 0.6):
        record_run(storage, record(metrics("again", accuracy=accuracy)))
        record_run(storage, record(metrics("other", accuracy=0.5, day=1)))
    assert [(row["run_key"], row["accuracy"]) for row in rows(storage)] == [("again", "0.6000"), ("other", "0.5000")]


def test_the_text_file_has_the_lines_of_2021(storage: Storage) -> None:
    """n, size, accuracy and time, as the 2021 project wrote them."""
    when = datetime(2021, 5, 8, 17, 3, 11, 123456, tzinfo=UTC)
    record_run(storage, record(metrics("first", accuracy=0.48, created_at=when)))
    found = storage.read(storage.layout.ledger_text())
    assert found
    assert found.body.decode() == (
        "Model with n=1000, image size of 100 x 100, Accuracy of 48.00 % recorded at 2021-05-08 17:03:11.123456\n"
    )


def spec(run: FakeRun, storage: Storage) -> dict[str, Any]:
    code = CodeRef(code_id="c" * 64, environment_id="e" * 64)
    root = storage.layout.uri(storage.layout.prefix)
    return run_spec(run.context(), root=root, code=code, options=RunOptions()).model_dump(mode="json")


def test_gathering_twice_writes_the_same_record(storage: Storage, run: FakeRun) -> None:
    """A second try after a lost answer changes nothing."""
    found = spec(run, storage)
    key = storage.layout.metrics(found["identity"]["run_key"])
    storage.write_value(key, metrics(found["identity"]["run_key"]))
    gather = GatherMetricsOperator(task_id="gather", run_spec=found, cluster_id="j-9")
    assert run.execute(gather) == run.execute(gather)
    assert len(rows(storage)) == 1
    assert rows(storage)[0]["cluster_id"] == "j-9"


def test_no_metrics_is_told_with_the_task_that_writes_them(storage: Storage, run: FakeRun) -> None:
    with pytest.raises(ResultMissing, match="clear the task evaluate"):
        run.execute(GatherMetricsOperator(task_id="gather", run_spec=spec(run, storage)))


def test_what_is_learned_later_is_put_into_the_record_by_two_at_once(account: Account, storage: Storage) -> None:
    """Promotion and cost come from tasks that run side by side: neither writes over the other's."""
    record_run(storage, record(metrics("amended")))
    promotion = Promotion(promoted=True, why="there was no champion", decided_at=BEGAN)
    cost = RunCost(
        run_key="amended", clusters=(), prices_from="offline_table", prices_as_of=BEGAN.date(), region="here",
        reckoned_at=BEGAN,
    )  # fmt: skip
    stores = [Storage(storage.layout, account.client("s3")) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        done = [
            pool.submit(amend_record, stores[0], "amended", promotion=promotion),
            pool.submit(amend_record, stores[1], "amended", cost=cost),
        ]
        assert all(each.result() for each in done)
    (found,) = read_ledger(storage)
    assert (found.promotion, found.cost) == (promotion, cost)
    assert (rows(storage)[0]["promoted"], rows(storage)[0]["cost_usd"]) == ("true", "0.0000")


def test_a_run_without_a_record_gets_none_by_amending(storage: Storage) -> None:
    """A failed run has a cost, and no place in the ledger of results."""
    assert not amend_record(storage, "nobody", promotion=Promotion(promoted=False, why="", decided_at=BEGAN))
    assert read_ledger(storage) == []
