"""One stand-in for AWS, and a DAG run's context for operators."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPO / "plugins"), str(Path(__file__).parent / "dags")]

from aws_account import ACCESS_KEY, REGION, SECRET, Account  # noqa: E402
from fake_run import FakeRun  # noqa: E402
from proxy import Proxy  # noqa: E402


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A stand-in with bucket and roles, and Airflow's connection `aws_default` pointing at it."""
    account = Account.start(tmp_path_factory.mktemp("account"))
    kept = dict(os.environ)
    os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = account.connection
    os.environ |= {"AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    yield account
    os.environ.clear()
    os.environ |= kept
    account.stop()


@pytest.fixture(scope="session")
def _proxy(account: Account) -> Iterator[Proxy]:
    proxy = Proxy.start(account.endpoint)
    connection = json.loads(account.connection)
    connection["extra"]["endpoint_url"] = proxy.url
    os.environ["AIRFLOW_CONN_AWS_PROXIED"] = json.dumps(connection)
    yield proxy
    proxy.stop()


@pytest.fixture
def proxy(_proxy: Proxy) -> Iterator[Proxy]:
    """Before the account stands a proxy that strikes; the connection `aws_proxied` goes through it."""
    yield _proxy
    _proxy.calm()


@pytest.fixture
def run(request: pytest.FixtureRequest) -> FakeRun:
    """A manual DAG run named after the test."""
    return FakeRun(run_id=f"manual__{request.node.name}")


@pytest.fixture
def clean(account: Account, run: FakeRun) -> Iterator[Account]:
    """The account, in which no cluster of this run is left over afterwards."""
    from dermaflow.run import run_key_of

    yield account
    account.end_clusters(f"dermaflow-{run_key_of(run.context())}")


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """Airflow's database, for tests that run a DAG."""
    airflow = Path(sys.executable).parent / "airflow"
    subprocess.run([airflow, "db", "migrate"], check=True, capture_output=True, env=dict(os.environ))


@pytest.fixture
def bucket(account: Account, request: pytest.FixtureRequest) -> str:
    """A bucket of the test's own."""
    return account.new_bucket(request.node.name)


@pytest.fixture
def images(account: Account, bucket: str) -> Callable[..., None]:
    """Puts `count` objects named like images below `raw/`: `images(melanoma=12)`."""

    def put(below: str = "", **counts: int) -> None:
        for label, count in counts.items():
            for number in range(count):
                account.s3.put_object(Bucket=bucket, Key=f"raw/{below}{label}/{number}.jpg", Body=b"x")

    return put


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """What needs no stand-in runs first, so that a wrong name is told in a second."""
    items.sort(key=lambda item: "account" in getattr(item, "fixturenames", ()))
