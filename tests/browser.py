"""A real browser for the tests: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
DESK = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
WAIT_MS = 30_000


def chromium() -> str:
    """The browser's path. As root on Debian it is installed where it is missing; else the test is skipped."""
    if found := _found():
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        command = "apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium"
        subprocess.run(["sh", "-c", command], check=False, capture_output=True, timeout=240)
    if found := _found():
        return found
    pytest.skip("no Chromium here: apt-get install chromium, or name one: CHROMIUM=/path/to/chromium make test")


def _found() -> str | None:
    named = [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else list(NAMES)
    return next((path for name in named if (path := shutil.which(name))), None)


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            yield started
        finally:
            started.close()


@dataclass(frozen=True)
class Visitor:
    """Somebody logged in to Airflow, with a window of their own."""

    page: Page
    base: str

    @classmethod
    def log_in(cls, started: Browser, base: str, user: str, password: str, **window: Any) -> Visitor:
        context = started.new_context(**(window or DESK))
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.goto(base)
        page.get_by_label("Username").fill(user)
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "/auth/login" not in url)
        return cls(page, base)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.base}{path}")

    def picture(self, name: str, *, whole: bool = False) -> None:
        """Kept for the README, where `make screenshots` asks for pictures."""
        if folder := os.environ.get("DERMAFLOW_SCREENSHOTS"):
            self.page.wait_for_timeout(700)  # Airflow's panels slide in
            path = Path(folder) / f"{name}.jpg"
            self.page.screenshot(path=path, type="jpeg", quality=82, full_page=whole, animations="disabled")
