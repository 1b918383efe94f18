"""Every misconfiguration below is told before a cluster is asked for, with the thing that is wrong and a remedy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aws_account import PROFILE, REPO, Account
from fake_run import FakeRun
from proxy import DENIED, Proxy, free_port

from dermaflow.emr.instance_types import INSTANCE_TYPES, InstanceType
from dermaflow.errors import InputsRefused
from dermaflow.operators.check_inputs import CheckInputsOperator

CLASSES = ("melanoma", "nevus", "seborrheic_keratosis")


@pytest.fixture(scope="session")
def sound_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The job code as a deployment holds it."""
    folder = tmp_path_factory.mktemp("code")
    for path in ("jobs/pyproject.toml", "jobs/uv.lock"):
        (folder / path).parent.mkdir(exist_ok=True)
        shutil.copy(REPO / path, folder / path)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPO / "jobs/dermaflow_jobs", folder / "jobs/dermaflow_jobs", ignore=ignore)
    shutil.copytree(REPO / "infra/emr", folder / "infra/emr", ignore=ignore)
    return folder


@pytest.fixture(scope="session")
def good_bucket(account: Account) -> str:
    bucket = account.new_bucket("good-bucket")
    for label in CLASSES:
        for number in range(10):
            account.s3.put_object(Bucket=bucket, Key=f"raw/{label}/{number}.jpg", Body=b"x")
    return bucket


@dataclass
class Setup:
    """What a test may spoil."""

    account: Account
    proxy: Proxy
    run: FakeRun
    bucket: str
    code: Path
    monkeypatch: pytest.MonkeyPatch
    form: dict[str, Any] = field(default_factory=dict)
    connection: str = "aws_default"

    def check(self) -> dict[str, Any]:
        form = {"root": f"s3://{self.bucket}"} | self.form
        operator = CheckInputsOperator(
            task_id="check_inputs", form=form, code_dir=str(self.code), aws_conn_id=self.connection
        )
        spec: dict[str, Any] = self.run.execute(operator)
        return spec

    def strike(self, *rules: dict[str, Any]) -> None:
        self.connection = "aws_proxied"
        self.proxy.strike(*rules)

    def edit(self, path: str, change: Callable[[str], str], tmp_path: Path) -> None:
        if self.code.parent != tmp_path:
            self.code = Path(shutil.copytree(self.code, tmp_path / "code"))
        file = self.code / path
        file.write_text(change(file.read_text()))


@pytest.fixture
def setup(
    account: Account, proxy: Proxy, run: FakeRun, good_bucket: str, sound_code: Path, monkeypatch: pytest.MonkeyPatch
) -> Setup:
    return Setup(account, proxy, run, good_bucket, sound_code, monkeypatch)


def test_nothing_wrong_gives_the_run_spec(setup: Setup) -> None:
    """With a choice of the form kept and the data seen up to the run's start."""
    spec = setup.check() if not setup.form.update(image_size=64) else {}
    assert spec["options"]["preprocess"]["image_size"] == 64
    assert spec["identity"]["data_until"].startswith("2026-11-20T09:30")
    assert spec["identity"]["run_key"].startswith("lesions=manual__")


# ---- params
def unknown_param(s: Setup) -> None:
    s.form["epoch"] = 3


def param_out_of_range(s: Setup) -> None:
    s.form["epochs"] = 0


def param_of_another_type(s: Setup) -> None:
    s.form["image_size"] = "large"


def unknown_model(s: Setup) -> None:
    s.form["model"] = "resnet9000"


def shares_leave_nothing_to_train_on(s: Setup) -> None:
    s.form |= {"valid_share": 0.4, "test_share": 0.4}


def batch_does_not_divide(s: Setup) -> None:
    s.form |= {"batch_size": 33, "train_workers": 2}


def classes_twice(s: Setup) -> None:
    s.form["classes"] = ["nevus", "nevus"]


def root_is_no_bucket(s: Setup) -> None:
    s.form["root"] = "/home/me/images"


# ---- bucket
def bucket_missing(s: Setup) -> None:
    s.bucket = "nobody-made-this-one"


def bucket_elsewhere(s: Setup) -> None:
    s.bucket = "far-away-bucket"
    where = {"LocationConstraint": "eu-west-1"}
    s.account.client("s3", "eu-west-1").create_bucket(Bucket=s.bucket, CreateBucketConfiguration=where)


def bucket_not_ours(s: Setup) -> None:
    s.strike({"service": "s3", "operation": "HeadBucket", **DENIED})


def no_list_permission(s: Setup) -> None:
    s.strike({"service": "s3", "operation": "ListObjectsV2", **DENIED})


def no_put_permission(s: Setup) -> None:
    s.strike({"service": "s3", "operation": "PutObject", **DENIED})


def no_get_permission(s: Setup) -> None:
    s.strike({"service": "s3", "operation": "GetObject", **DENIED})


# ---- images
def no_images(s: Setup) -> None:
    s.bucket = s.account.new_bucket("empty")


def class_missing(s: Setup) -> None:
    s.form["classes"] = [*CLASSES, "angioma"]


def class_too_small(s: Setup) -> None:
    s.form["classes"] = [*CLASSES, "wart"]
    s.account.s3.put_object(Bucket=s.bucket, Key="raw/wart/1.jpg", Body=b"x")


def only_images_of_later_days(s: Setup) -> None:
    s.bucket = s.account.new_bucket("later")
    s.account.s3.put_object(Bucket=s.bucket, Key="raw/dt=2026-12-01/nevus/1.jpg", Body=b"x")


# ---- account
def credentials_refused(s: Setup) -> None:
    s.strike({"service": "sts", "error": {"code": "InvalidClientTokenId", "status": 403}})


def nobody_at_the_endpoint(s: Setup) -> None:
    connection = json.loads(s.account.connection)
    connection["extra"]["endpoint_url"] = f"http://127.0.0.1:{free_port()}"
    s.monkeypatch.setenv("AIRFLOW_CONN_AWS_NOWHERE", json.dumps(connection))
    s.connection = "aws_nowhere"


def service_role_missing(s: Setup) -> None:
    s.form["service_role"] = "NobodysRole"


def instance_profile_missing(s: Setup) -> None:
    s.form["instance_profile"] = "NobodysProfile"


def instance_profile_empty(s: Setup) -> None:
    s.form["instance_profile"] = "EmptyProfile"
    s.account.client("iam").create_instance_profile(InstanceProfileName="EmptyProfile")


def no_iam_permission(s: Setup) -> None:
    s.strike({"service": "iam", "operation": "GetRole", **DENIED})


def unknown_release(s: Setup) -> None:
    s.form["release_label"] = "emr-7.99.0"


def unknown_instance_type(s: Setup) -> None:
    s.form["core_type"] = "m6i.xlage"


def instance_type_not_for_emr(s: Setup) -> None:
    s.form["core_type"] = "t3.xlarge"
    s.monkeypatch.setitem(INSTANCE_TYPES, "t3.xlarge", InstanceType("t3.xlarge", 4, 16384, 0.2))


def subnet_missing(s: Setup) -> None:
    s.form["subnet_ids"] = ["subnet-0123456789abcdef0"]


# ---- machines and money
def more_workers_than_nodes(s: Setup) -> None:
    s.form |= {"train_workers": 4, "core_count": 2}


def trials_side_by_side_on_too_few_nodes(s: Setup) -> None:
    s.form |= {"sweep_trials": 6, "sweep_parallel": 4, "core_count": 2}


def more_trials_than_the_primary_can_drive(s: Setup) -> None:
    s.form |= {"sweep_trials": 8, "sweep_parallel": 8, "core_count": 8}


def more_trials_than_combinations(s: Setup) -> None:
    s.form |= {"sweep_trials": 5, "sweep_space": {"ema": [0.9, 0.99], "augment": [True, False]}}


def sweep_of_an_unknown_option(s: Setup) -> None:
    s.form |= {"sweep_trials": 2, "sweep_space": {"momentum": [0.9]}}


def sweep_out_of_range(s: Setup) -> None:
    s.form |= {"sweep_trials": 2, "sweep_space": {"learning_rate": {"low": 0.1, "high": 3}}}


def backbone_without_weights(s: Setup) -> None:
    s.form |= {"model": "ResNet50V2"}


def weights_that_are_not_there(s: Setup) -> None:
    s.form |= {"model": "ResNet50V2", "backbone_weights": f"s3://{s.bucket}/resnet50v2_notop.h5"}


def image_too_small_for_the_network(s: Setup) -> None:
    s.form |= {"model": "Xception", "backbone_weights": "s3://weights/xception_notop.h5", "image_size": 64}


def nodes_too_small(s: Setup) -> None:
    s.form["core_type"] = "c5.large"
    s.monkeypatch.setitem(INSTANCE_TYPES, "c5.large", InstanceType("c5.large", 2, 4096, 0.1))


def too_dear(s: Setup) -> None:
    s.form |= {"core_count": 40, "max_cost_usd": 5.0}


CASES = [
    (unknown_param, "epoch", "did you mean epochs"),
    (param_out_of_range, "epochs", "greater than or equal to 1"),
    (param_of_another_type, "image_size", "valid integer"),
    (unknown_model, "model", "seed_cnn"),
    (shares_leave_nothing_to_train_on, "do not go together", "at most 0.6"),
    (batch_does_not_divide, "batch_size", "multiple"),
    (classes_twice, "param data", "classes must differ"),
    (root_is_no_bucket, "root", "s3://bucket"),
    (bucket_missing, "does not exist", "create it in us-east-1"),
    (bucket_elsewhere, "eu-west-1", "name a bucket in us-east-1"),
    (bucket_not_ours, "may not be looked at", "s3:ListBucket"),
    (no_list_permission, "cannot list", "s3:ListBucket"),
    (no_put_permission, "cannot write", "s3:PutObject"),
    (no_get_permission, "cannot read", "s3:GetObject"),
    (no_images, "holds no images", "upload"),
    (class_missing, "no images of class angioma", "take it out of classes"),
    (class_too_small, "1 images of class wart", "upload more"),
    (only_images_of_later_days, "holds no images up to 2026-11-20", "upload"),
    (credentials_refused, "AWS connection", "credentials"),
    (nobody_at_the_endpoint, "Could not connect", "endpoint of the Airflow connection"),
    (service_role_missing, "service_role NobodysRole", "deploy infra/aws"),
    (instance_profile_missing, "instance_profile", "deploy infra/aws"),
    (instance_profile_empty, "has no role in it", "add-role-to-instance-profile"),
    (no_iam_permission, "cannot be looked up", "iam:GetRole"),
    (unknown_release, "emr-7.99.0", "take e.g. emr-7."),
    (unknown_instance_type, "m6i.xlage", "m6i.xlarge"),
    (instance_type_not_for_emr, "does not run on it", "take e.g."),
    (subnet_missing, "subnet-0123456789abcdef0", "account and region"),
    (more_workers_than_nodes, "4 workers for 2 core nodes", "set core_count to 4"),
    (trials_side_by_side_on_too_few_nodes, "need 4 core nodes", "set core_count to 4"),
    (more_trials_than_the_primary_can_drive, "no room for 8 drivers", "larger primary_type"),
    (more_trials_than_combinations, "sweep_space", "only 4 combinations"),
    (sweep_of_an_unknown_option, "do not go together", "momentum is no training option"),
    (sweep_out_of_range, "do not go together", "less than or equal to 1"),
    (backbone_without_weights, "do not go together", "needs backbone_weights"),
    (weights_that_are_not_there, "cannot be read", "upload the network's weights"),
    (image_too_small_for_the_network, "image_size", "Xception needs at least 71"),
    (nodes_too_small, "c5.large leaves", "take a type"),
    (too_dear, "the limit is 5.00 USD", "raise the limit"),
]


@pytest.mark.parametrize(("spoil", "found", "remedy"), CASES, ids=[case[0].__name__ for case in CASES])
def test_a_misconfiguration_costs_nothing(
    setup: Setup, spoil: Callable[[Setup], None], found: str, remedy: str
) -> None:
    """The table names it and its remedy, and EMR has been asked for no cluster."""
    spoil(setup)
    before = setup.account.calls("ElasticMapReduce.RunJobFlow")
    with pytest.raises(InputsRefused) as refusal:
        setup.check()
    told = squeezed(str(refusal.value))
    assert squeezed(found) in told
    assert squeezed(remedy) in told
    assert setup.account.calls("ElasticMapReduce.RunJobFlow") == before


CODE_CASES = {
    "newer syntax than 3.11": ("jobs/dermaflow_jobs/train/loop.py", lambda t: t + "\ntype X = int\n", "is not Python"),
    "import of a module that is not there": (
        "jobs/dermaflow_jobs/verify/__main__.py",
        lambda t: t + "\nfrom dermaflow_jobs.verify.lost import x\n",
        "imports dermaflow_jobs.verify.lost",
    ),
    "import of a name that its module lacks": (
        "jobs/dermaflow_jobs/verify/__main__.py",
        lambda t: t + "\nfrom dermaflow_jobs.runtime.step import run_stop\n",
        "imports dermaflow_jobs.runtime.step.run_stop, which is not there",
    ),
    "import of Airflow, which no cluster has": (
        "jobs/dermaflow_jobs/verify/__main__.py",
        lambda t: t + "\nfrom airflow.sdk import Variable\n",
        "imports airflow.sdk",
    ),
    "contract that Airflow does not know": (
        "jobs/dermaflow_jobs/contract/options/train.py",
        lambda t: t + "\n# of a later commit\n",
        "e.g. options/train.py",
    ),
    "lock without hashes": ("jobs/uv.lock", lambda t: t.replace("hash = ", "hush = "), "no hashes for"),
    "lock that is no TOML": ("jobs/uv.lock", lambda t: t + "\n<<<<<<< HEAD\n", "cannot be read"),
    "uv itself without a hash": ("infra/emr/uv-requirements.txt", lambda _: "uv==0.9\n", "not pinned with a hash"),
}


@pytest.mark.parametrize("case", CODE_CASES)
def test_code_that_a_cluster_would_refuse_costs_nothing(setup: Setup, case: str, tmp_path: Path) -> None:
    path, change, found = CODE_CASES[case]
    if path.endswith("loop.py"):
        path = str(next((setup.code / "jobs/dermaflow_jobs/train").glob("[a-z]*.py")).relative_to(setup.code))
    setup.edit(path, change, tmp_path)
    before = setup.account.calls("ElasticMapReduce.RunJobFlow")
    with pytest.raises(InputsRefused) as refusal:
        setup.check()
    assert squeezed(found) in squeezed(str(refusal.value))
    assert setup.account.calls("ElasticMapReduce.RunJobFlow") == before


@pytest.mark.parametrize("path", ["jobs/dermaflow_jobs/train/__main__.py", "infra/emr/bootstrap.sh"])
def test_code_that_is_incomplete_costs_nothing(setup: Setup, path: str, tmp_path: Path) -> None:
    setup.edit(path, str, tmp_path)
    (setup.code / path).unlink()
    with pytest.raises(InputsRefused) as refusal:
        setup.check()
    assert path.removeprefix("jobs/dermaflow_jobs/").split("/__main__")[0] in str(refusal.value)


def test_all_problems_are_told_at_once(setup: Setup) -> None:
    """A wrong param does not hide a missing role, nor that a bucket."""
    setup.bucket = "nobody-made-this-one-either"
    setup.form |= {"epochs": 0, "service_role": "NobodysRole", "release_label": "emr-7.99.0"}
    with pytest.raises(InputsRefused) as refusal:
        setup.check()
    told = str(refusal.value)
    assert "4 problems" in told
    assert all(word in told for word in ("epochs", "NobodysRole", "emr-7.99.0", "nobody-made-this"))
    assert PROFILE not in told


def squeezed(text: str) -> str:
    """Without what the table's wrapping put between the words of a cell: columns are read one after the other."""
    rows = [line.split(" | ") for line in text.splitlines()]
    columns = [" ".join(row[n].strip() for row in rows if len(row) > n) for n in range(3)]
    return "".join(" ".join(columns).split())
