from __future__ import annotations

import re
from pathlib import Path

import pytest

from kitwai.config.connection import FIELD_NAMES, cluster_config
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.settings import Mode
from kitwai.errors import InvalidInputError

LOCAL = {"pool": "local", "mode": "auto"}


def config(extra=None, **asked):
    fields = {"host": "spark", "port": 8080, "schema": "http", "extra": extra or {}}
    return cluster_config("prod", **(fields | asked))


def test_defaults_touch_nothing():
    made = config()
    assert made.settings.mode is Mode.SUGGEST
    assert made.settings.constraint == Constraint(10, 600.0)
    assert (made.web_url, made.pool.kind) == ("http://spark:8080", "none")
    assert made.pool.master == "spark://spark:7077"
    assert (made.settings.margin, made.settings.drain_s, made.history) == (1.0, 20.0, None)
    assert made.settings.constraint.miss == 0.01


def test_what_a_connection_says_of_misses_drains_and_past_runs():
    made = config({"miss_probability": 0.2, "drain": "45s", "history": "runs.json"})
    assert (made.settings.constraint.miss, made.settings.drain_s) == (0.2, 45.0)
    assert made.history == Path("runs.json")


def test_the_flap_budget_of_a_connection():
    assert config({"max_workers": 5}).settings.flap_budget == 60
    assert config({"flap_budget": 7}).settings.flap_budget == 7
    with pytest.raises(InvalidInputError, match="flap_budget"):
        config({"flap_budget": 0})


def test_a_run_may_ask_for_other_limits():
    made = config(LOCAL | {"min_workers": 3}, max_workers=1, limit="90s", mode="suggest")
    assert made.settings.constraint == Constraint(1, 90.0)
    assert (made.settings.mode, made.settings.min_workers) == (Mode.SUGGEST, 1)


@pytest.mark.parametrize(
    ("extra", "asked", "words"),
    [
        ({}, {"host": None}, "names no host"),
        ({}, {"schema": "ftp"}, "http or https"),
        ({"max_worker": 3}, {}, "'max_worker' is unknown"),
        ({"max_workers": "3"}, {}, "'max_workers'"),
        ({"max_workers": 0}, {}, "at least 1, not 0"),
        ({}, {"max_workers": 0}, "at least 1, not 0"),
        ({}, {"limit": "0min"}, "'0min' is not a time"),
        ({"limit": "soon"}, {}, "'limit' is not a time"),
        ({"cooldown_in": "soon"}, {}, "'cooldown_in'"),
        ({"mode": "always"}, {}, "'mode'"),
        (LOCAL, {"mode": "always"}, "mode must be one of suggest, approve, auto"),
        ({"mode": "auto"}, {}, "needs a pool"),
        ({"min_workers": 11}, {}, "min_workers"),
        ({"worker_cores": 0}, {}, "cores_per_worker"),
        ({"margin": 1.5}, {}, "margin"),
        ({"miss_probability": 0.0}, {}, "miss probability must lie between 0 and 1"),
        ({"miss_probability": "rarely"}, {}, "'miss_probability'"),
        ({"drain": "-3s"}, {}, "'drain'"),
        ({"pool": "no-such-pool"}, {}, "'pool'"),
        ({"master": "local[2]"}, {}, "spark://host:7077"),
        ({"container_cpus": 0}, {}, "'container_cpus'"),
        ({"container_memory_mb": 1919}, {}, "at least 1920 where worker_memory_mb is 1024"),
        ({"image": ""}, {}, "'image'"),
    ],
)
def test_wrong_settings_are_one_clear_sentence(extra, asked, words):
    with pytest.raises(InvalidInputError) as caught:
        config(extra, **asked)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"metrics": "no-such-source"}, "extra field 'metrics'"),
        ({"metrics": "ganglia"}, "host:port"),
        ({"metrics": "ganglia", "metrics_address": "http://g"}, "host:port"),
        ({"metrics": "prometheus", "metrics_address": "p:9090"}, "http://host:port"),
        (
            {
                "metrics": "prometheus",
                "metrics_address": "http://p",
                "metrics_filter": 'a="b"} or x',
            },
            "label matchers",
        ),
        ({"driver_log": "/var/log/driver.log"}, "{id}"),
    ],
)
def test_wrong_sources_are_named(extra, words):
    with pytest.raises(InvalidInputError, match=re.escape(words)):
        config(extra)


def test_the_password_is_the_clusters_secret_and_is_shown_nowhere():
    made = config({"pool": "docker"}, password="s3cret-of-all")
    assert made.pool.secret == "s3cret-of-all"
    assert "s3cret" not in repr(made)
    assert config({"pool": "docker"}, password="").pool.secret is None
    with pytest.raises(InvalidInputError, match="printable ASCII") as caught:
        config({"pool": "docker"}, password="two words")
    assert "two words" not in str(caught.value)


@pytest.mark.parametrize("field", sorted(FIELD_NAMES | {"pasword"}))
def test_no_message_repeats_a_text_in_the_wrong_place(field):
    secret = "se-cret {x} 1"
    for extra in ({field: secret}, {"metrics": "prometheus", "pool": "local", field: secret}):
        try:
            config(extra)
        except InvalidInputError as caught:
            # A traceback shows what an error was made of, too.
            for error in (caught, caught.__cause__):
                assert secret not in str(error)
    with pytest.raises(InvalidInputError) as caught:
        config({}, schema=secret)
    assert secret not in str(caught.value)
