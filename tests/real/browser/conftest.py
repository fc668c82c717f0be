"""The page's sources built anew, a server of made-up data, and a real Chromium."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from looking import Visitor, chromium

NPM_S = 300
# It takes a quarter of an hour and writes into the repository: only where it is asked for.
collect_ignore = [] if os.environ.get("KITWAI_PICTURES") else ["test_pictures.py"]


def pytest_itemcollected(item: pytest.Item) -> None:
    if Path(__file__).parent in item.path.parents:
        item.add_marker(pytest.mark.browser)
        item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def npm() -> Callable[..., str]:
    """Runs npm in a folder; skips where there is none that is new enough."""
    node = shutil.which("node")
    version = subprocess.run([node, "--version"], capture_output=True, text=True) if node else None
    found = re.match(r"v(\d+)\.(\d+)", version.stdout) if version else None
    if not found or (int(found[1]), int(found[2])) < (20, 19) or not shutil.which("npm"):
        pytest.skip("Node 20.19 or later and npm are needed to build the page.")

    def run(folder: Path, *arguments: str) -> str:
        done = subprocess.run(
            ["npm", *arguments], cwd=folder, capture_output=True, text=True, timeout=NPM_S
        )
        assert done.returncode == 0, f"npm {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def built(npm, repository, tmp_path_factory) -> Path:
    """A copy of the repository's ``ui/``, its packages installed and its bundle built beside it."""
    root = tmp_path_factory.mktemp("page")
    sources = shutil.ignore_patterns("node_modules")
    shutil.copytree(repository / "ui", root / "ui", ignore=sources)
    npm(root / "ui", "ci", "--no-audit", "--no-fund", "--prefer-offline")
    npm(root / "ui", "run", "build")
    return root


@pytest.fixture(scope="session")
def axe(built) -> str:
    """The source of axe-core."""
    return (built / "ui" / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture
def made_up(built, repository) -> Iterator[str]:
    """The address of the page on made-up data that no other test has changed."""
    server = subprocess.Popen(
        ["node", built / "ui" / "dev" / "server.mjs"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, closed with its module: Playwright holds the thread's event loop."""
    with chromium() as started:
        yield started


@pytest.fixture
def visit(browser, axe) -> Iterator[Callable[..., Visitor]]:
    """Opens windows of the browser; none of them may report an error of the page."""
    visitors: list[Visitor] = []

    def opened(**options: Any) -> Visitor:
        visitors.append(Visitor(browser, axe, **options))
        return visitors[-1]

    yield opened
    try:
        for visitor in visitors:
            assert visitor.errors == []
    finally:
        for visitor in visitors:
            visitor.close()
