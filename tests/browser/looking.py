"""Looking at the page in a real Chromium: windows, accessibility, pictures for the README."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "images"
"""Where pictures go if ``KITWAI_PICTURES`` is set."""

DESKTOP = {"width": 1280, "height": 820}
TALL = {"width": 1280, "height": 1080}
PHONE = {"width": 360, "height": 740}
TIMEOUT_MS = 30_000


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

    def picture(self, name: str) -> None:
        """Take a picture for the README, if pictures are asked for."""
        if os.environ.get("KITWAI_PICTURES"):
            size = self.page.viewport_size
            if size == DESKTOP:
                self.page.set_viewport_size(TALL)
                self.page.wait_for_timeout(500)
            self.page.screenshot(path=PICTURES / f"ui-{name}.png")
            self.page.set_viewport_size(size)
