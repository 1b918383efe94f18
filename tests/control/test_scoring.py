"""The scoring DAG: nothing is paid for where there is nobody to ask or nothing to ask about; drift is announced."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, TriggerRule
from airflow.sdk.exceptions import AirflowSkipException, ParamValidationError
from aws_account import REPO, Account
from fake_run import FakeRun
from test_misconfigurations import squeezed

from dermaflow.assets import RAW_DATA
from dermaflow.emr.sizing import spark_size
from dermaflow.emr.spark_step import job_args
from dermaflow.errors import InputsRefused
from dermaflow.form import read_scoring_form, scoring_params
from dermaflow.operators.announce_drift import AnnounceDriftOperator
from dermaflow.operators.check_scoring import CheckScoringOperator
from dermaflow_jobs.contract.champion import Champion
from dermaflow_jobs.contract.options import ClusterOptions, RunOptions
from dermaflow_jobs.contract.run_spec import RunSpec
from dermaflow_jobs.contract.s3_layout import Layout
from dermaflow_jobs.contract.score import ScoringOptions
from dermaflow_jobs.contract.steps import ScoreReport

DRAWN = b"\xff\xd8\xff\xe1..Exif..Dermaflow synthetic.." + bytes(200_000)
PHOTO = b"\xff\xd8\xff\xe1..Exif..DermLite.." + bytes(200_000)


@dataclass
class Scene:
    account: Account
    run: FakeRun
    bucket: str
    form: dict[str, Any] = field(default_factory=dict)

    def put(self, key: str, body: bytes) -> None:
        self.account.s3.put_object(Bucket=self.bucket, Key=f"project/{key}", Body=body)

    def crown(self, *, synthetic: bool = False, model: bool = True) -> None:
        key = "project/models/kept/m/model.keras"
        champion = Champion(
            run_key="r", dataset_id="d", model_key=key, mean_auc=0.8, valid_images=9, synthetic=synthetic,
            crowned_at=datetime.now(UTC),
        )  # fmt: skip
        self.put("models/champion.json", champion.to_json().encode())
        if model:
            self.put("models/kept/m/model.keras", b"x")

    def check(self) -> RunSpec:
        form = {"root": f"s3://{self.bucket}/project"} | self.form
        return RunSpec.parse(self.run.execute(CheckScoringOperator(task_id="check", form=form)))


@pytest.fixture
def scene(account: Account, run: FakeRun, bucket: str) -> Scene:
    return Scene(account, run, bucket)


def test_nothing_wrong_gives_a_run_spec_with_the_champion_in_it(scene: Scene) -> None:
    """As it is now; the cluster as the form has it, and one worker a node."""
    scene.crown()
    scene.put("clinic/today/1.jpg", PHOTO)
    scene.form |= {"images": "clinic/today/", "core_count": 3}
    spec = scene.check()
    assert spec.score
    assert (spec.score.champion.run_key, spec.score.options.images) == ("r", "clinic/today/")
    size = spark_size("score", spec.options)
    assert (size.executors, size.task_cpus) == (3, size.executor_cores)
    assert job_args("score", spec)[-3:] == [
        "score",
        "--run-spec",
        f"s3://{scene.bucket}/project/runs/lesions=" + scene.run.run_id + "/run.json",
    ]


def no_champion(s: Scene) -> None:
    s.put("incoming/1.jpg", PHOTO)


def champion_without_a_model(s: Scene) -> None:
    s.put("incoming/1.jpg", PHOTO)
    s.crown(model=False)


def champion_unreadable(s: Scene) -> None:
    s.put("incoming/1.jpg", PHOTO)
    s.put("models/champion.json", b"{}")


def nothing_there(s: Scene) -> None:
    s.crown()
    s.put("incoming/", b"")


def another_folder(s: Scene) -> None:
    s.crown()
    s.put("incoming/1.jpg", PHOTO)
    s.form["images"] = "clinic/"


def drawn_champion_real_images(s: Scene) -> None:
    s.crown(synthetic=True)
    for number in range(20):
        s.put(f"incoming/{number:02}.jpg", PHOTO if number > 15 else DRAWN)


def our_own_folder(s: Scene) -> None:
    s.crown()
    s.form["images"] = "runs/"


def out_of_the_root(s: Scene) -> None:
    s.crown()
    s.form["images"] = "../other/"


def too_dear(s: Scene) -> None:
    s.crown()
    s.put("incoming/1.jpg", PHOTO)
    s.form |= {"core_count": 200}


def param_of_the_training_dag(s: Scene) -> None:
    s.crown()
    s.form |= {"epochs": 3}


CASES = [
    (no_champion, "there is no champion yet", "lesion_training"),
    (champion_without_a_model, "model is not there any more", "lesion_training"),
    (champion_unreadable, "mean_auc", "roll back"),
    (nothing_there, "holds no objects", "upload images there"),
    (another_folder, "clinic/", "upload images there"),
    (drawn_champion_real_images, "learned from drawn images", "train on real images"),
    (our_own_folder, "images = runs/", "another folder"),
    (out_of_the_root, "param images", "pattern"),
    (too_dear, "max_cost_usd", "raise the limit"),
    (param_of_the_training_dag, "epochs", "no such param"),
]


@pytest.mark.parametrize(("spoil", "found", "remedy"), CASES, ids=[case[0].__name__ for case in CASES])
def test_what_cannot_be_scored_costs_nothing(
    scene: Scene, spoil: Callable[[Scene], None], found: str, remedy: str
) -> None:
    spoil(scene)
    before = scene.account.calls("ElasticMapReduce.RunJobFlow")
    with pytest.raises(InputsRefused) as refusal:
        scene.check()
    told = squeezed(str(refusal.value))
    assert squeezed(found) in told
    assert squeezed(remedy) in told
    assert scene.account.calls("ElasticMapReduce.RunJobFlow") == before


def test_drawn_images_may_be_scored_by_a_drawn_champion(scene: Scene) -> None:
    """As the demo's are; what is no image at all is the step's to count, not a reason to refuse."""
    scene.crown(synthetic=True)
    scene.put("incoming/1.jpg", DRAWN)
    scene.put("incoming/broken.jpg", b"no")
    scene.put("incoming/notes.txt", b"remember the milk")
    assert scene.check().score


def test_the_form_offers_what_a_scoring_run_needs() -> None:
    """Its own three, the root, and the cluster's; it refuses what the contract refuses."""
    params = scoring_params()
    assert {"root", "images", "drift_threshold", "announce_drift", *ClusterOptions.model_fields} == set(params)
    options, refused = read_scoring_form({name: param.value for name, param in params.items()})
    assert (options, refused) == (ScoringOptions(), [])
    for name, value in (("images", "/"), ("images", "a/../b/"), ("drift_threshold", 0)):
        with pytest.raises(ParamValidationError):
            params[name].resolve(value)
    assert RunOptions().cluster == ScoringOptions().cluster


# ---- drift
def report(*drifted: str) -> dict[str, Any]:
    found = ScoreReport(score_id="s", reused=False, images=9, failed=1, drifted=drifted, seconds=1)
    return found.model_dump(mode="json")


def announce(run: FakeRun, monkeypatch: pytest.MonkeyPatch, **arguments: Any) -> dict[str, Any]:
    """What the asset's event carries."""
    events: dict[Any, Any] = {RAW_DATA: SimpleNamespace(extra={})}
    context = run.context() | {"outlet_events": events}
    monkeypatch.setattr(run, "context", lambda: context)
    run.execute(AnnounceDriftOperator(task_id="announce", outlets=[RAW_DATA], **arguments))
    extra: dict[str, Any] = events[RAW_DATA].extra
    return extra


def test_drift_raises_the_asset_where_the_run_says_so(run: FakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event says what has drifted; without drift, or without being asked, the task is skipped and raises none."""
    found = announce(run, monkeypatch, report=report("sharpness"), wanted="True")
    assert found == {"drift": ["sharpness"], "score_id": "s", "images": 9}
    with pytest.raises(AirflowSkipException, match="no drift"):
        announce(run, monkeypatch, report=report(), wanted="True")
    with pytest.raises(AirflowSkipException, match="drift in sharpness, not announced"):
        announce(run, monkeypatch, report=report("sharpness"), wanted="False")


# ---- the DAG
@pytest.fixture(scope="module")
def scoring() -> DAG:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(REPO / "dags", load_op_links=False).dags["lesion_scoring"]


def test_the_cluster_is_given_back_whatever_happens(scoring: DAG) -> None:
    """The same operators as in training, in the same order; the teardown waits for no announcement."""
    path = "check_scoring publish_code create_cluster wait_for_cluster verify_environment score announce_drift"
    for before, after in itertools.pairwise(path.split()):
        assert after in scoring.get_task(before).downstream_task_ids, (before, after)
    teardown = scoring.get_task("terminate_cluster")
    assert teardown.is_teardown
    assert teardown.trigger_rule == TriggerRule.ALL_DONE_SETUP_SUCCESS
    assert {task.task_id for task in scoring.tasks if task.is_setup} == {"publish_code", "create_cluster"}
    assert {"publish_code", "create_cluster", "score"} <= teardown.upstream_task_ids
    assert "announce_drift" not in teardown.upstream_task_ids
    assert scoring.get_task("account_cost").is_teardown
    assert "account_cost" in teardown.downstream_task_ids
    assert scoring.get_task("announce_drift").outlets == [RAW_DATA]
    assert list(scoring.get_task("verify_environment").then) == ["score"]
    assert all(task.retries and task.execution_timeout for task in scoring.tasks)
    assert Layout.of("s3://b").score_manifest("x") == "scores/x/score.json"
