"""Fixtures that every kind of test may use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling, Scheduling

from kitwai.core.records.scaling import ScalingProgress
from places import REPOSITORY
from sharing import shared_part

pytest.register_assert_rewrite("pool_contract", "read_logs_of", "shuffle_job")

# How long an example takes says more of the machine than of the code.
settings.register_profile("kitwai", deadline=None)
settings.load_profile("kitwai")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--alone",
        choices=["only", "never"],
        help="run only the tests that are marked alone, or all but them",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if (chosen := config.getoption("alone")) is None:
        return
    kept = [
        one for one in items if (one.get_closest_marker("alone") is not None) == (chosen == "only")
    ]
    config.hook.pytest_deselected(items=[one for one in items if one not in kept])
    items[:] = kept


class _ByPart(LoadScopeScheduling):
    """Tests that share a real part run in one process, in their order."""

    def _split_scope(self, nodeid: str) -> str:
        return shared_part(Path(nodeid.partition("::")[0]))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling | None:
    """`pytest -n 4 --dist loadscope` runs tests of real parts, which wait most of the time."""
    return _ByPart(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.fixture(autouse=True)
def _own_airflow_home(tmp_path_factory, monkeypatch):
    """No test reads or writes the Airflow of the person who runs it."""
    home = tmp_path_factory.mktemp("airflow")
    monkeypatch.setenv("AIRFLOW_HOME", str(home))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture
def run_path(repository: Path) -> Iterator[Path]:
    """A folder of the test's own where `kitwai demo` keeps its files by default. Not the machine's
    temporary folder: there Spark may do more than elsewhere, as its shuffle service does.
    """
    (repository / "run").mkdir(exist_ok=True)
    with TemporaryDirectory(dir=repository / "run", prefix="test-") as folder:
        yield Path(folder)


class HeldLease:
    """An operation that nobody disturbs and that is not on record; counts its renewals.

    Each call of `kitwai.pools.reach.reach` begins a scaling of its own, when it asks for `done`.
    """

    def __init__(self) -> None:
        self.renewals = 0
        self.before = ScalingProgress()
        self.begun_at = 0.0

    @property
    def done(self) -> ScalingProgress:
        self.begun_at = time.time()
        return ScalingProgress()

    def renew(self) -> None:
        self.renewals += 1

    def note(self) -> None:
        self.renew()


@pytest.fixture
def lease() -> HeldLease:
    return HeldLease()


@pytest.fixture
def wait_for() -> Callable[..., None]:
    """Polls until a condition holds."""

    def wait(condition: Callable[[], object], timeout_s: float = 240.0) -> None:
        until = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < until, "waited too long"
            time.sleep(0.3)

    return wait
