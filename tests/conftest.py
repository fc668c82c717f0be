"""Fixtures that every kind of test may use."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

# Lets tests of several folders import what stands beside this file.
sys.path.insert(0, str(Path(__file__).parent))


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
