"""The hook: a connection of Airflow, and what a run asks for instead."""

from __future__ import annotations

import json

import pytest

from kitwai.errors import InvalidInputError
from kitwai.hooks.spark_cluster import SparkClusterHook


@pytest.fixture
def connect(monkeypatch):
    """Makes the connection ``test``, whose master nobody answers for."""

    def make(**extra):
        connection = {"conn_type": "spark_cluster", "host": "127.0.0.1", "port": 1, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_TEST", json.dumps(connection))

    return make


def test_run_asks_for_its_own_limits(connect):
    connect(pool="local", mode="auto", max_workers=8)
    hook = SparkClusterHook("test", max_workers=3, mode="suggest")
    settings = hook.config.settings
    assert (settings.constraint.max_workers, settings.mode.value) == (3, "suggest")
    assert settings.constraint.limit_s == 600.0
    assert hook.params == {"N": 3, "mode": "suggest"}
    assert hook.asked == {"max_workers", "mode"}


def test_connection_without_a_history_file_has_no_past_runs(connect):
    connect()
    hook = SparkClusterHook("test")
    assert hook.history is None
    assert hook.history_sha256 is None


def test_form_is_told_what_is_wrong(connect):
    connect(max_worker=3)
    assert SparkClusterHook("test").test_connection() == (
        False,
        "Connection 'test': extra field 'max_worker' is unknown: correct its name or remove it.",
    )
    connect(metrics="spark", timeout="1s")
    well, words = SparkClusterHook("test").test_connection()
    assert not well
    assert "master" in words


def test_wrong_connection_is_an_error_at_its_first_use(connect):
    connect(pool="none", mode="auto")
    with pytest.raises(InvalidInputError, match="needs a pool"):
        _ = SparkClusterHook("test").config
