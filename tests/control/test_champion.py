"""Who becomes champion, what a race leaves, and the way back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput
from aws_account import BUCKET, Account
from fake_run import FakeRun
from test_comparison import CLASSES, table
from test_ledger import metrics, record

from dermaflow.assets import CHAMPION, CHAMPION_CHANGED
from dermaflow.champion import Present, history, judge, roll_back, weigh
from dermaflow.errors import NothingToGoBackTo
from dermaflow.ledger import read_ledger, record_run
from dermaflow.operators.approve_promotion import ApprovePromotionOperator
from dermaflow.operators.promote import PromoteOperator
from dermaflow.operators.roll_back_champion import RollBackChampionOperator
from dermaflow.storage import Storage
from dermaflow_jobs.contract.champion import Champion, Comparison, Scores
from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.metrics import Interval
from dermaflow_jobs.contract.options import PromotionOptions, RunOptions
from dermaflow_jobs.contract.run_spec import CodeRef, RunIdentity, RunSpec
from dermaflow_jobs.contract.s3_layout import Layout

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def storage(account: Account) -> Storage:
    """A place of the test's own."""
    return Storage(Layout.of(f"s3://{BUCKET}/{uuid4().hex}"), account.s3)


def finished(storage: Storage, run_key: str, skill: float, *, auc: float = 0.8, **changes: Any) -> LedgerRecord:
    """What a run leaves when it is evaluated."""
    layout = storage.layout
    found = record(metrics(run_key, auc=auc, classes=CLASSES, **changes))
    storage.write(layout.model(run_key), f"model of {run_key}".encode())
    storage.write(layout.predictions(run_key, "valid"), table(skill))
    storage.write_value(layout.metrics(run_key), found.metrics)
    storage.write(layout.model_card(run_key), b"card")
    record_run(storage, found)
    return found


def spec(storage: Storage, run_key: str, **promotion: Any) -> dict[str, Any]:
    identity = RunIdentity(run_key=run_key, dag_id="lesions", run_id=run_key, logical_date=None, data_until=NOW)
    return RunSpec(
        root=storage.layout.uri(storage.layout.prefix).rstrip("/"),
        code=CodeRef(code_id="c" * 64, environment_id="e" * 64),
        identity=identity,
        options=RunOptions(promotion=PromotionOptions(**promotion)),
    ).model_dump(mode="json")


def promoted(storage: Storage, run: FakeRun, done: LedgerRecord, answer: Any = None, **promotion: Any) -> Any:
    given = spec(storage, done.run_key, **promotion)
    return run.execute(
        PromoteOperator(task_id="promote", run_spec=given, record=done.model_dump(mode="json"), answer=answer)
    )


def present(storage: Storage) -> Champion:
    found = Present.read(storage).champion
    assert found
    return found


# ---- the rule


def scores(auc: float, melanoma: float) -> Scores:
    return Scores(mean_auc=auc, sensitivity={"melanoma": melanoma, "nevus": 0.5})


@pytest.mark.parametrize(
    ("difference", "confidence", "melanoma", "options", "is_promoted"),
    [
        pytest.param(0.04, 0.99, 0.8, {}, True, id="surely better"),
        pytest.param(0.04, 0.90, 0.8, {}, False, id="maybe better"),
        pytest.param(0.04, 0.90, 0.8, {"promotion_confidence": 0.8}, True, id="maybe is enough"),
        pytest.param(0.00, 0.50, 0.8, {"promotion_confidence": 0.5}, False, id="as good"),
        pytest.param(0.04, 0.99, 0.79, {}, False, id="misses more melanoma"),
        pytest.param(0.04, 0.99, 0.79, {"guarded_class": "nevus"}, True, id="another class is guarded"),
        pytest.param(0.04, 0.99, 0.79, {"guarded_class": None}, True, id="none is guarded"),
        pytest.param(0.04, 0.99, 0.79, {"guarded_class": "wart"}, True, id="the guarded class is not there"),
    ],
)
def test_who_is_promoted(
    difference: float, confidence: float, melanoma: float, options: dict[str, Any], is_promoted: bool
) -> None:
    """Better beyond chance on the same images, and it misses no more of the guarded class."""
    found = Comparison(
        champion="old", images=100, images_per_class={}, challenger_scores=scores(0.8 + difference, melanoma),
        champion_scores=scores(0.8, 0.8), difference=difference, difference_interval=Interval(low=0, high=1),
        confidence=confidence, resamplings=2000,
    )  # fmt: skip
    verdict = judge(found, PromotionOptions(**options))
    assert verdict.promoted == is_promoted
    assert "of old on the same 100 images" in verdict.why


@pytest.mark.parametrize(("new", "old", "wins"), [(True, False, False), (False, True, True)])
def test_a_model_of_drawn_images_never_beats_one_of_real_ones(
    storage: Storage, run: FakeRun, new: bool, old: bool, wins: bool
) -> None:
    """Whatever the numbers say; the other way round it needs none."""
    promoted(storage, run, finished(storage, "old", 0.5, synthetic=old))
    assert promoted(storage, run, finished(storage, "new", 2.0, synthetic=new))["promoted"] is wins


def test_a_model_without_a_score_is_never_champion(storage: Storage, run: FakeRun) -> None:
    assert promoted(storage, run, finished(storage, "unscored", 1.0, auc=None))["promoted"] is False  # type: ignore[arg-type]
    assert not storage.exists(storage.layout.champion())


# ---- the pointer, the history and the kept copies


def test_a_crowned_model_stays_what_it_was_when_its_date_is_run_again(storage: Storage, run: FakeRun) -> None:
    """Model, metrics, predictions and card are copied; the next challenger is compared with the copy."""
    promoted(storage, run, finished(storage, "first", 0.5))
    storage.write(storage.layout.model("first"), b"trained again")
    champion = present(storage)
    kept = storage.read(champion.model_key)
    assert kept
    assert kept.body == b"model of first"
    assert all(storage.exists(str(key)) for key in (champion.metrics_key, champion.predictions_key, champion.card_key))
    assert weigh(storage, champion, champion, PromotionOptions()).already


def test_the_ledger_says_what_became_of_the_model_and_the_history_who_reigned(storage: Storage, run: FakeRun) -> None:
    for name, skill in (("first", 0.4), ("worse", 0.2), ("better", 2.5)):
        promoted(storage, run, finished(storage, name, skill))
    told = {found.run_key: found.promotion for found in read_ledger(storage)}
    assert {name: each and each.promoted for name, each in told.items()} == {
        "first": True, "worse": False, "better": True,
    }  # fmt: skip
    better = told["better"]
    assert better
    assert better.comparison
    assert better.comparison.champion == next(history(storage)).name
    assert [(each.number, each.run_key) for each in history(storage)] == [(1, "first"), (2, "better")]
    assert present(storage).dethroned == "first"


def test_the_champion_s_own_answers_to_the_challenger_s_images_come_first(storage: Storage, run: FakeRun) -> None:
    """What evaluate asked it on the cluster; its own validation split serves only where it was crowned since."""
    promoted(storage, run, finished(storage, "first", 0.4))
    done = finished(storage, "second", 1.2)
    storage.write(storage.layout.champion_predictions("second", present(storage).name), table(3.0, images=80))
    found = promoted(storage, run, done)
    assert found["promoted"] is False
    assert found["comparison"]["images"] == 80


def test_of_runs_at_once_the_best_is_champion(account: Account, storage: Storage) -> None:
    """All were evaluated against nobody; whoever writes compares with whoever stands there by then."""
    done = [finished(storage, f"run-{n}", skill) for n, skill in enumerate((0.0, 0.3, 0.6, 1.0, 2.0))]
    stores = [Storage(storage.layout, account.client("s3")) for _ in done]

    def contend(store: Storage, one: LedgerRecord) -> Any:
        return promoted(store, FakeRun(run_id=one.run_key), one)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(contend, stores, done))
    assert present(storage).run_key == "run-4"
    numbers = [each.number for each in history(storage)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_history_that_lost_its_last_entry_is_mended_by_the_next_writer(storage: Storage, run: FakeRun) -> None:
    """Somebody died between the pointer and the history."""
    promoted(storage, run, finished(storage, "first", 0.4))
    storage.client.delete_object(Bucket=storage.layout.bucket, Key=storage.layout.champion_history(1))
    assert [each.run_key for each in history(storage)] == ["first"]
    promoted(storage, run, finished(storage, "second", 2.0))
    assert storage.exists(storage.layout.champion_history(1))
    assert [each.run_key for each in history(storage)] == ["first", "second"]


# ---- the way back


def reigned(storage: Storage, run: FakeRun) -> None:
    for name, skill in (("one", 0.2), ("two", 1.2), ("three", 4.0)):
        assert promoted(storage, run, finished(storage, name, skill))["promoted"]


def test_rolling_back_twice_goes_back_two_models(storage: Storage, run: FakeRun) -> None:
    """Each is one more entry of the history, which loses nothing."""
    reigned(storage, run)
    assert roll_back(storage, why="it misses freckles", decided_by="ann").run_key == "two"
    assert roll_back(storage).run_key == "one"
    assert [each.run_key for each in history(storage)] == ["one", "two", "three", "two", "one"]
    back = list(history(storage))[3]
    assert (back.crowned_by, back.decided_by, back.dethroned) == ("rollback", "ann", "three")
    assert "it misses freckles" in back.why
    assert roll_back(storage, to=3).run_key == "three"


def test_there_must_be_something_to_go_back_to(storage: Storage, run: FakeRun) -> None:
    with pytest.raises(NothingToGoBackTo, match="history has nothing"):
        roll_back(storage)
    promoted(storage, run, finished(storage, "only", 1.0))
    with pytest.raises(NothingToGoBackTo, match="number 7"):
        roll_back(storage, to=7)


def test_the_rollback_s_task_goes_back_once_however_often_it_is_tried(storage: Storage, run: FakeRun) -> None:
    """The first try was carried out, and its worker died before it could say so. The form's empty field is None."""
    reigned(storage, run)
    back = RollBackChampionOperator(
        task_id="back", root=storage.layout.uri(storage.layout.prefix), to="None", outlets=[CHAMPION_CHANGED]
    )
    for _ in range(2):
        assert run.execute(back)["run_key"] == "two"
    assert [each.run_key for each in history(storage)] == ["one", "two", "three", "two"]
    assert run.announced == [("champion_changed", CHAMPION.uri, "two")]


# ---- a person's word


def asking(storage: Storage, done: LedgerRecord, **promotion: Any) -> ApprovePromotionOperator:
    given = spec(storage, done.run_key, **promotion)
    return ApprovePromotionOperator(task_id="approve", run_spec=given, record=done.model_dump(mode="json"))


def test_nobody_is_asked_in_vain(storage: Storage, run: FakeRun) -> None:
    """Not without being wanted, and not about a model that the numbers refuse."""
    done = finished(storage, "first", 2.0)
    with pytest.raises(AirflowSkipException, match="approval = auto"):
        run.execute(asking(storage, done))
    promoted(storage, run, done)
    with pytest.raises(AirflowSkipException, match="mean AUC"):
        run.execute(asking(storage, finished(storage, "worse", 0.1), approval="human"))


def test_a_run_that_was_skipped_promotes_nothing(run: FakeRun) -> None:
    """Its trigger rule lets it run all the same, for check_inputs succeeded."""
    with pytest.raises(AirflowSkipException, match="skipped"):
        run.execute(PromoteOperator(task_id="promote", run_spec={}, record=None))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What was put before the person, as Airflow would keep it."""
    kept: dict[str, Any] = {}
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **what: kept.update(what)
    )
    return kept


def test_the_question_says_what_a_person_needs_and_waits_without_a_worker(
    storage: Storage, run: FakeRun, asked: dict[str, Any]
) -> None:
    """Numbers, links, and what happens when nobody answers."""
    promoted(storage, run, finished(storage, "first", 0.2))
    done = finished(storage, "second", 3.0)
    with pytest.raises(TaskAwaitingInput) as parked:
        run.execute(asking(storage, done, approval="human", approval_hours=5))
    assert parked.value.timeout.total_seconds() == 5 * 3600
    assert asked["defaults"] == ["Reject"]
    assert asked["options"] == ["Approve", "Reject"]
    for text in ("/dermaflow/runs/second/card", "mean AUC", "number 1, first"):
        assert text in asked["body"]
    assert run.xcoms["champion"] == present(storage).name


def answered(choice: str = "Approve", user: str | None = "ann", champion: str | None = None) -> dict[str, Any]:
    return {"choice": choice, "user": user, "champion": champion}


@pytest.mark.parametrize(
    ("answer", "is_promoted", "why"),
    [
        pytest.param(answered(), True, "approved by ann", id="approved"),
        pytest.param(answered("Reject"), False, "not approved by ann", id="rejected"),
        pytest.param(answered("Reject", None), False, "not approved by nobody in time", id="time is up"),
        pytest.param(None, False, "not approved", id="never asked"),
    ],
)
def test_with_approval_human_a_better_model_needs_a_person_s_word(
    storage: Storage, run: FakeRun, answer: Any, is_promoted: bool, why: str
) -> None:
    """And without it the run ends well, with the model not promoted."""
    done = finished(storage, "first", 2.0)
    found = promoted(storage, run, done, answer, approval="human")
    assert found["promoted"] is is_promoted
    assert found["why"].startswith(why)
    assert storage.exists(storage.layout.champion()) is is_promoted


def test_an_approval_does_not_outweigh_a_champion_that_came_meanwhile(storage: Storage, run: FakeRun) -> None:
    """The person saw it against the first; by now a better one reigns."""
    promoted(storage, run, finished(storage, "first", 0.1))
    done, seen = finished(storage, "second", 1.0), present(storage).name
    promoted(storage, run, finished(storage, "third", 4.0))
    found = promoted(storage, run, done, answered(champion=seen), approval="human")
    assert found["promoted"] is False
    assert present(storage).run_key == "third"


def test_what_numbers_cannot_say_a_person_may(storage: Storage, run: FakeRun, asked: dict[str, Any]) -> None:
    """Other classes, so no comparison: refused, unless a person who knows of this very champion says yes."""
    promoted(storage, run, finished(storage, "first", 1.0))
    other = finished(storage, "second", 1.0)
    other = other.model_copy(update={"metrics": other.metrics.model_copy(update={"classes": ("a", "b")})})
    assert "cannot be compared" in promoted(storage, run, other)["why"]
    with pytest.raises(TaskAwaitingInput):
        run.execute(asking(storage, other, approval="human"))
    stale = promoted(storage, run, other, answered(champion="somebody else"), approval="human")
    assert stale["promoted"] is False
    fresh = promoted(storage, run, other, answered(champion=run.xcoms["champion"]), approval="human")
    assert fresh["promoted"] is True
