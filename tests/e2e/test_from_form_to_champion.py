"""What a person does, from the form to the champion, in a real browser and with everything behind it real."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Locator, Page, expect

from browser import Visitor, browser, chromium
from dermaflow_jobs.contract.champion import Champion
from dermaflow_jobs.contract.s3_layout import Layout
from e2e.conftest import Demo
from local_stack.airflow import USER, AirflowApi
from local_stack.images import Source, upload

pytestmark = pytest.mark.timeout(600)
DAG_ID = "lesion_training"
WAIT_MS = 60_000
"""For Airflow, on a busy machine."""
WHOLE_RUN_MS = 400_000
FILLED_IN = {"image_size": 32, "epochs": 1, "samples_per_class": 12}


@pytest.fixture(scope="module")
def layout(demo: Demo, images: Path) -> Layout:
    """A storage root of its own, with images and without a champion."""
    source = Source(images, "in-a-browser")
    upload(source, demo.config, lambda _done, _total: None)
    return Layout.of(source.root)


@pytest.fixture(scope="module")
def visitor(demo: Demo, layout: Layout) -> Iterator[Visitor]:
    """Logged in, the DAG's page open."""
    chromium()  # skips where there is none
    with AirflowApi.login(demo.config) as api:
        api.wait_for_dag(DAG_ID)
        api.unpause(DAG_ID)
    with browser() as started:
        visitor = Visitor.log_in(started, demo.config.airflow_url, USER, demo.config.secrets["admin_password"])
        visitor.page.set_default_timeout(WAIT_MS)
        expect.set_options(timeout=WAIT_MS)
        visitor.open(f"/dags/{DAG_ID}")
        yield visitor


def test_trigger_watch_approve_and_look_at_the_results(demo: Demo, layout: Layout, visitor: Visitor) -> None:
    """One run: filled in, seen while it works, approved by a person, and champion afterwards."""
    page = visitor.page
    trigger(page, layout)
    page.wait_for_url("**/runs/manual__*")
    watched = page.url
    expect(open_results(page).get_by_text("looks again every ten seconds")).to_be_visible()
    expect(open_results(page).get_by_role("progressbar").first).to_be_visible(timeout=WHOLE_RUN_MS)
    visitor.picture("watching")

    page.get_by_role("button", name="Required Actions").click(timeout=WHOLE_RUN_MS)
    page.get_by_role("link", name="approve").last.click()
    expect(page.get_by_text("become champion?")).to_be_visible()
    expect(page.get_by_text("there was no champion")).to_be_visible()
    visitor.picture("approve")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("from admin")).to_be_visible()

    page.get_by_role("link", name="manual__").first.click()
    page.wait_for_url(watched)
    wait_for_success(demo, watched.rsplit("/", 1)[-1])
    results = open_results(page)
    expect(results.get_by_text("Mean AUC").first).to_be_visible()
    results.get_by_role("link", name="Champion").first.click()
    expect(results.get_by_text("approved by admin").first).to_be_visible()
    champion = Champion.parse(demo.objects(layout.champion())[layout.champion()])
    assert champion.decided_by == "admin"
    assert champion.synthetic


def trigger(page: Page, layout: Layout) -> None:
    """With a person asked before the model becomes champion."""
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    for name, value in {"root": layout.uri(layout.prefix).rstrip("/"), **FILLED_IN}.items():
        form.locator(f'input[name="element_{name}"]').fill(str(value))
    form.locator('div:has(> input[name="element_approval"])').get_by_role("combobox").press("ArrowDown")
    page.get_by_role("option", name="human").click()
    form.get_by_role("button", name="Trigger", exact=True).click()


def wait_for_success(demo: Demo, run_id: str) -> None:
    with AirflowApi.login(demo.config) as api:
        while (state := api.run(DAG_ID, unquote(run_id))["state"]) in {"queued", "running"}:
            time.sleep(0.5)
    assert state == "success"


def open_results(page: Page) -> Locator:
    """The tab of the run, and what is in its frame."""
    page.get_by_role("link", name="Results", exact=True).click()
    return page.frame_locator('iframe[title="Results"]').locator("body")
