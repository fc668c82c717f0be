"""Looking at the page in a real Chromium: windows, accessibility, pictures for the README."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kitwai_lab.local.airflow import AirflowStandalone
from places import REPOSITORY

PICTURES = REPOSITORY / "docs" / "images"
"""Where the pictures go."""

DESKTOP = {"width": 1280, "height": 820}
TALL = {"width": 1280, "height": 1080}
PHONE = {"width": 360, "height": 740}
TIMEOUT_MS = 30_000
SOON_MS = 30_000


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless Chromium; skips where there is none."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Debian's package chromium is needed to look at the page.")
    from playwright.sync_api import expect, sync_playwright

    # Other tests, or other people, may keep the machine busy.
    expect.set_options(timeout=15_000)
    with sync_playwright() as playwright:
        # As root, as in containers, Chromium has no sandbox of its own.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        started = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield started
        finally:
            started.close()


class Visitor:
    """A window with a session of its own. ``errors``: what the page's console said of errors."""

    def __init__(
        self,
        browser: Any,
        axe: str,
        *,
        theme: str = "light",
        size: dict[str, int] = DESKTOP,
        **options: Any,
    ) -> None:
        self._axe = axe
        self._context = browser.new_context(
            viewport=size,
            color_scheme=theme,
            reduced_motion="reduce",
            timezone_id="Europe/Vienna",
            locale="en-GB",
            **options,
        )
        self._context.set_default_timeout(TIMEOUT_MS)
        self.page = self._context.new_page()
        self.errors: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def close(self) -> None:
        self._context.close()

    def _heard(self, message: Any) -> None:
        # Airflow's own pages are not ours to judge.
        if message.type == "error" and "/kitwai/" in message.location.get("url", ""):
            self.errors.append(message.text)

    def faults(self) -> list[str]:
        """Serious and critical faults that axe-core finds in the page."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(self._axe)
        found = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        return [
            f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:200]}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]

    def side_scroll(self) -> int:
        """How many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def picture(self, name: str, size: dict[str, int] | None = None) -> None:
        """Take a picture for README and documentation, of a window of another ``size``."""
        before = self.page.viewport_size
        self.page.set_viewport_size(size or before)
        # The charts follow the window's size.
        self.page.wait_for_timeout(1000)
        self.page.screenshot(path=PICTURES / f"ui-{name}.png")
        self.page.set_viewport_size(before)


def log_in(visitor: Visitor, airflow: AirflowStandalone, user: str = "admin") -> None:
    """As a person does; Airflow leads back to where they wanted to go."""
    from playwright.sync_api import expect

    (passwords,) = airflow.home.glob("simple_auth_manager_passwords*")
    page = visitor.page
    page.goto(f"{airflow.url}/kitwai/")
    page.locator("input[name=username]").fill(user)
    page.locator("input[name=password]").fill(json.loads(passwords.read_text())[user])
    page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
    expect(page.get_by_role("heading", name="Clusters")).to_be_visible(timeout=2 * SOON_MS)


def go(visitor: Visitor, airflow: AirflowStandalone, view: str) -> None:
    """To a view of the page, and wait until it is there."""
    from playwright.sync_api import expect

    visitor.page.goto(f"{airflow.url}/kitwai/{view}")
    expect(visitor.page.locator("h1")).to_be_visible()
    expect(visitor.page.locator("main .loading")).to_have_count(0)
