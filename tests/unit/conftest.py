"""How the tests without real parts are shared out, and what makes them cheap."""

from __future__ import annotations

import os
import sys

import pytest
from absl import logging as absl_logging
from xdist.scheduler import LoadScopeScheduling, Scheduling

# Threads that wait for the next few microseconds of simulation otherwise spin: on two cores that
# cost ten times what the simulation does. The library reads the setting when it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Keras logs through absl, whose handler takes the standard error of the moment: pytest's. When
# Airflow sets its logging up, all handlers are closed, and pytest would be left without one.
absl_logging.get_absl_handler().python_handler.stream = sys.__stderr__


class _ByFile(LoadScopeScheduling):
    """Gives all tests of a file to one process, so that what they share is made once."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.split("::", 1)[0]


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling | None:
    """`pytest -n 2 tests/unit` hands out whole files, the slow ones first."""
    if config.getvalue("dist") != "load":
        return None
    config.option.loadscopereorder = False
    return _ByFile(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts files with slow tests first: a long file that begins last keeps one core idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
