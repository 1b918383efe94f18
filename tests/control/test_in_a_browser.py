"""What a person sees and does, in a real browser: log in, trigger with the form, look at the results, on a phone too.

Airflow's own web server, its database and the stand-in's S3; no scheduler, so a run that is triggered stays queued.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from aws_account import REPO, Account
from playwright.sync_api import Browser, Locator, expect
from results_data import Project

from browser import PHONE, Visitor, browser, chromium
from dermaflow_jobs.contract.ledger import LedgerRecord

pytestmark = pytest.mark.timeout(400)
AIRFLOW = Path(sys.executable).parent / "airflow"
USER, PASSWORD, ROOT = "admin", "a long password", "s3://dermaflow/in-a-browser"
DAG = "/dags/lesion_training"
expect.set_options(timeout=60_000)  # a busy machine is no failure


@pytest.fixture(scope="module")
def started() -> Iterator[Browser]:
    chromium()  # skips before a server is started
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def records(account: Account) -> list[LedgerRecord]:
    """Twelve weekly runs, a dataset and two champions."""
    project = Project(account.s3, ROOT)
    records = [project.run(week) for week in range(11)] + [project.run(11, model="seed_cnn", epochs=40)]
    project.tables(*records)
    project.dataset()
    project.crown(records[6], 1)
    project.crown(records[9], 2)
    return records


@pytest.fixture(scope="module")
def server(
    started: Browser, account: Account, airflow_db: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Airflow's API server with the project's DAGs and plugin."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    passwords = tmp_path_factory.mktemp("web") / "passwords.json"
    passwords.write_text(json.dumps({USER: PASSWORD}))
    env = os.environ | {
        "AIRFLOW_CONN_AWS_DEFAULT": account.connection,
        "DERMAFLOW_ROOT": ROOT,
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPO / "dags"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__WORKERS": "1",
    }
    subprocess.run([AIRFLOW, "dags", "reserialize"], check=True, capture_output=True, env=env)
    process = subprocess.Popen(
        [AIRFLOW, "api-server", "--host", "127.0.0.1", "--port", str(port), "--apps", "core"],
        env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait(f"http://127.0.0.1:{port}/api/v2/version")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _wait(url: str) -> None:
    end = time.monotonic() + 240
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=5)
            return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(f"{url} does not answer")


@pytest.fixture(scope="module")
def visitor(started: Browser, server: str, records: object) -> Visitor:
    return Visitor.log_in(started, server, USER, PASSWORD)


@pytest.fixture
def form(visitor: Visitor) -> Locator:
    """The trigger form, just opened."""
    visitor.open(DAG)
    visitor.page.get_by_role("button", name="Trigger").first.click()
    dialog = visitor.page.get_by_role("dialog")
    field(dialog, "epochs").wait_for()
    return dialog


def field(form: Locator, name: str) -> Locator:
    return form.locator(f'input[name="element_{name}"]')


def test_the_form_opens_with_what_matters_and_folds_the_rest(visitor: Visitor, form: Locator) -> None:
    """Each part of the options has a section of its own that opens on a click."""
    expect(form.get_by_text("standard: a small network from nothing")).to_be_visible()
    expect(field(form, "epochs")).to_have_value("")
    expect(form.get_by_text("Empty: as the preset says (quick 3, standard 20,")).to_be_visible()
    expect(field(form, "batch_size")).to_be_hidden()
    visitor.picture("form")
    form.get_by_role("button", name="Train", exact=True).click()
    expect(field(form, "batch_size")).to_be_visible()


def test_the_form_refuses_a_wrong_value_and_starts_nothing(visitor: Visitor, form: Locator) -> None:
    """A number out of range stays as it was typed, and is refused with what is allowed."""
    field(form, "image_size").fill("7")
    form.get_by_role("button", name="Trigger", exact=True).click()
    expect(visitor.page.get_by_text("less than the minimum of 32")).to_be_visible()
    assert runs(visitor) == []


def test_the_form_starts_a_run_with_what_was_filled_in(visitor: Visitor, form: Locator) -> None:
    """What was left alone is left to the preset."""
    field(form, "epochs").fill("2")
    form.get_by_role("button", name="Trigger", exact=True).click()
    expect(form).to_be_hidden()
    (conf,) = runs(visitor)
    assert conf["epochs"] == 2
    assert conf["preset"] == "standard"
    assert conf.get("image_size") is None


def runs(visitor: Visitor) -> list[dict[str, object]]:
    answer = visitor.page.request.get(f"{visitor.base}/api/v2{DAG}/dagRuns")
    return [run["conf"] for run in answer.json()["dag_runs"]]


def test_models_stands_in_airflow_s_navigation(visitor: Visitor, records: list[LedgerRecord]) -> None:
    """From there to a run, its card and back, without leaving Airflow."""
    visitor.open("/")
    visitor.page.get_by_role("link", name="Models").click()
    frame = visitor.page.frame_locator('iframe[title="Models"]')
    expect(frame.get_by_role("heading", name="Models")).to_be_visible()
    expect(frame.locator("figure .wide svg")).to_be_visible()
    visitor.picture("models")
    frame.get_by_role("link", name="2026-11-16 03:00").first.click()
    expect(frame.get_by_role("heading", name="2026-11-16 03:00")).to_be_visible()
    frame.get_by_role("link", name="Model card").click()
    card = frame.frame_locator("iframe.card")
    expect(card.get_by_text(f"The card of {records[10].run_key}")).to_be_visible()


def test_two_runs_are_chosen_and_compared(visitor: Visitor, records: list[LedgerRecord]) -> None:
    visitor.open("/dermaflow/")
    for record in (records[9], records[11]):
        visitor.page.get_by_label(f"Choose {record.run_key}").check()
    visitor.page.get_by_role("button", name="Compare the two chosen").click()
    expect(visitor.page.get_by_role("heading", name="Two runs")).to_be_visible()
    expect(visitor.page.get_by_role("cell", name="seed_cnn").first).to_be_visible()
    visitor.picture("compare")


def test_a_page_fits_a_phone_in_the_dark(started: Browser, server: str, records: object) -> None:
    """Nothing is wider than the screen, and the chart is the one drawn for it."""
    visitor = Visitor.log_in(started, server, USER, PASSWORD, **PHONE, color_scheme="dark")
    visitor.open("/dermaflow/")
    expect(visitor.page.locator("figure .narrow svg")).to_be_visible()
    assert visitor.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    background = visitor.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(18, 22, 29)"
    visitor.picture("phone")
