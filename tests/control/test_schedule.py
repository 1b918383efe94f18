"""When a run goes ahead: something new, a slot for its cluster, a date for its data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from airflow.sdk import AssetOrTimeSchedule
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException
from aws_account import BUCKET, Account
from emr_requests import create
from fake_run import FakeRun
from test_ledger import metrics, record

from dermaflow.assets import RAW_DATA
from dermaflow.form import flat
from dermaflow.ledger import record_run
from dermaflow.operators.check_news import CheckNewsOperator, seen_inputs
from dermaflow.pools import CLUSTERS, holds_slot
from dermaflow.run import identity_of
from dermaflow.schedule import by_time_or_new_images
from dermaflow.storage import Storage
from dermaflow_jobs.contract.champion import Champion
from dermaflow_jobs.contract.inputs import inputs_id, is_seen
from dermaflow_jobs.contract.options import ClusterOptions, PromotionOptions, RunOptions, TrainOptions
from dermaflow_jobs.contract.run_spec import CodeRef, RunSpec
from dermaflow_jobs.contract.s3_layout import Layout

CODE = CodeRef(code_id="c" * 64, environment_id="e" * 64)


@pytest.fixture
def storage(account: Account) -> Storage:
    return Storage(Layout.of(f"s3://{BUCKET}/{uuid4().hex}"), account.s3)


# ---- anything new?


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("melanoma/1.jpg", True),
        ("dt=2026-11-19/melanoma/1.jpg", True),
        ("dt=2026-11-20/melanoma/1.jpg", True),
        ("dt=2026-11-21/melanoma/1.jpg", False),
        ("dt=soon/melanoma/1.jpg", True),
        ("labels.csv", True),
    ],
)
def test_a_run_sees_what_had_come_by_its_date(path: str, seen: bool) -> None:
    """What has no date, or a wrong one, is everybody's."""
    assert is_seen(path, date(2026, 11, 20)) is seen


def test_inputs_are_named_by_what_is_seen_in_whatever_order() -> None:
    """A later day changes nothing; other bytes under the same name change it."""
    one, two, later = ("a/1.jpg", 1, '"x"'), ("a/2.jpg", 2, "y"), ("dt=2027-01-01/a/3.jpg", 3, "z")
    until = date(2026, 11, 20)
    name = inputs_id([one, two], until)
    assert name == inputs_id([two, ("a/1.jpg", 1, "x"), later], until)
    assert name != inputs_id([one, ("a/2.jpg", 2, "other")], until)


Ask = Callable[..., str]


@pytest.fixture
def ask(storage: Storage, run: FakeRun) -> Ask:
    """Asks the task, after a run with this storage's images, default choices and code is in the ledger."""
    for number in range(3):
        storage.write(f"{storage.layout.raw_prefix()}melanoma/{number}.jpg", b"x")

    def spec(kind: str, options: RunOptions, code: CodeRef = CODE) -> RunSpec:
        identity = identity_of(replace(run, run_type=kind).context())
        return RunSpec(root=f"s3://{BUCKET}/{storage.layout.prefix.rstrip('/')}", code=code, identity=identity,
                       options=options)  # fmt: skip

    done = record(metrics("before")).model_copy(
        update={"choices": flat(RunOptions()), "inputs_id": seen_inputs(storage, spec("manual", RunOptions()))}
    )
    record_run(storage, done)
    champion = Champion(
        run_key="before", dataset_id="d", model_key="m", mean_auc=0.8, valid_images=9, synthetic=False,
        crowned_at=datetime(2026, 11, 1, tzinfo=UTC),
    )  # fmt: skip
    storage.write_value(storage.layout.champion(), champion)

    def asked(kind: str, options: RunOptions | None = None, **code: CodeRef) -> str:
        given = spec(kind, options or RunOptions(), **code).model_dump(mode="json")
        return str(run.execute(CheckNewsOperator(task_id="news", run_spec=given)))

    return asked


@pytest.mark.parametrize("kind", ["scheduled", "asset_triggered"])
def test_a_run_that_nobody_asked_for_and_that_brings_nothing_new_is_skipped(ask: Ask, kind: str) -> None:
    """And says what it would repeat, and how to have it all the same."""
    with pytest.raises(AirflowSkipException, match=r"(?s)nothing is new since before.*press Trigger"):
        ask(kind)
    other_nodes = RunOptions(cluster=ClusterOptions(core_count=3))
    with pytest.raises(AirflowSkipException):  # they make no other model
        ask(kind, other_nodes)


@pytest.mark.parametrize("kind", ["manual", "backfill"])
def test_a_run_that_somebody_wants_is_never_skipped(ask: Ask, kind: str) -> None:
    assert "never skipped" in ask(kind)


def test_new_images_choices_or_code_are_news_and_force_needs_none(ask: Ask, storage: Storage) -> None:
    assert "force" in ask("scheduled", RunOptions(promotion=PromotionOptions(force=True)))
    assert "new to the ledger" in ask("scheduled", RunOptions(train=TrainOptions(epochs=3)))
    assert "new to the ledger" in ask("scheduled", code=CodeRef(code_id="d" * 64, environment_id="e" * 64))
    storage.write(f"{storage.layout.raw_prefix()}dt=2027-01-01/melanoma/9.jpg", b"x")
    with pytest.raises(AirflowSkipException):  # not this run's yet
        ask("scheduled")
    storage.write(f"{storage.layout.raw_prefix()}melanoma/9.jpg", b"x")
    assert "new to the ledger" in ask("scheduled")


def test_without_a_champion_even_the_same_again_may_give_one(ask: Ask, storage: Storage) -> None:
    storage.client.delete_object(Bucket=storage.layout.bucket, Key=storage.layout.champion())
    assert "no champion" in ask("scheduled")


def test_the_schedule_is_by_time_and_by_asset_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a data interval; none where runs are started by hand only."""
    found = by_time_or_new_images()
    assert isinstance(found, AssetOrTimeSchedule)
    assert "CronDataInterval" in type(found.timetable).__name__
    assert list(found.asset_condition.objects) == [RAW_DATA]
    monkeypatch.setenv("DERMAFLOW_SCHEDULE", "none")
    assert by_time_or_new_images() is None


def test_a_run_started_by_an_asset_sees_all_up_to_its_start(run: FakeRun) -> None:
    """It has no logical date and no interval; its place in S3 is named by its id."""
    found = identity_of(replace(run, run_type="asset_triggered", run_id="asset_triggered__2026").context())
    assert found.data_until == datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    assert found.run_type == "asset_triggered"
    assert found.run_key == "lesions=asset_triggered__2026"


# ---- a slot for the cluster


@pytest.mark.parametrize(
    ("states", "holds"),
    [
        ({"train": "deferred"}, True),
        ({"train": "queued", "preprocess": "success"}, True),
        ({"train_3": "running"}, True),
        ({"train": "scheduled", "preprocess": "success"}, False),
        ({"terminate_cluster": "running", "train": "success"}, False),
        ({}, False),
    ],
)
def test_a_run_holds_a_slot_while_a_task_of_the_pool_is_on(states: dict[str, str], holds: bool) -> None:
    """Also a deferred one, and one of a mapped task; between two tasks it holds none."""
    assert holds_slot(states, {"train", "preprocess"}) is holds


@pytest.fixture
def pooled(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeRun, dict[str, str], int], Any]:
    """Executes create_cluster in the pool, while another run's tasks are in these states; `active` runs of that id."""

    def execute(run: FakeRun, states: dict[str, str], active: int = 1) -> Any:
        operator = create()
        operator.pool = CLUSTERS
        tasks = [SimpleNamespace(task_id=name, pool=CLUSTERS) for name in ("create", "train")]
        monkeypatch.setattr(type(operator), "dag", SimpleNamespace(tasks=tasks))
        context = run.context()
        context["ti"].get_task_states = lambda run_ids, **_: {run_ids[0]: states}
        context["ti"].get_dr_count = lambda **_: active
        return operator.execute(context)

    return execute


@pytest.mark.usefixtures("clean")
def test_a_slot_got_between_two_tasks_of_another_run_is_given_back(run: FakeRun, pooled: Any, clean: Account) -> None:
    """That run's cluster is there and will want its slot; a run that is over, or holds one, is no reason."""
    other = FakeRun(run_id=f"{run.run_id}-other")
    try:
        mine = other.execute(create())
        with pytest.raises(AirflowRescheduleException):
            pooled(run, {"train": "scheduled"})
        assert pooled(other, {"train": "scheduled"}) == mine  # its own cluster: it goes on
        assert pooled(run, {"train": "scheduled"}, active=0) != mine
        assert pooled(run, {"train": "deferred"})
    finally:
        clean.end_clusters(f"dermaflow-lesions={run.run_id}-other".replace("[", "-").replace("]", "-"))
