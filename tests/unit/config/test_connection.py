from __future__ import annotations

import re
from pathlib import Path

import pytest

from kitwai.config.connection import ContainerConfig, MetricsConfig, _Extra, cluster_config
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.decision import Mode
from kitwai.errors import InvalidInputError
from kitwai.pools import make_pool
from kitwai.pools.docker.docker_pool import DockerWorkerPool
from kitwai.pools.swarm.swarm_pool import SwarmWorkerPool

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


def test_containers_hold_by_default_what_their_worker_offers_and_needs():
    made = config({"pool": "docker", "worker_cores": 3, "worker_memory_mb": 8192}).pool
    assert (made.kind, made.name) == ("docker", "prod")
    assert (made.containers.cpus, made.containers.memory_mb) == (3.0, 8192 + 819 + 512)
    assert (made.containers.image, made.containers.network) == ("kitwai-engine", "kitwai")
    assert made.containers.engine_url == "unix:///var/run/docker.sock"


def test_a_connection_may_name_an_engine_and_limits():
    extra = {"docker_url": "tcp://proxy:2375", "image": "spark:4", "network": "jobs"}
    limits = {"container_cpus": 1.5, "container_memory_mb": 4096}
    made = config({"pool": "docker"} | extra | limits).pool.containers
    assert made == ContainerConfig("tcp://proxy:2375", "spark:4", "jobs", 1.5, 4096, 1.5)


def test_swarm_reserves_what_a_worker_may_use_unless_told_otherwise():
    assert config({"pool": "swarm"}).pool.containers.reserved_cpus == 2.0
    assert config({"pool": "swarm", "reserved_cpus": 0}).pool.containers.reserved_cpus == 0
    with pytest.raises(InvalidInputError, match="reserved_cpus must be at most container_cpus"):
        config({"pool": "swarm", "container_cpus": 1, "reserved_cpus": 1.5})


@pytest.mark.parametrize(
    ("kind", "made_of"), [("docker", DockerWorkerPool), ("swarm", SwarmWorkerPool)]
)
def test_a_connection_with_containers_gets_a_pool_of_them(kind, made_of):
    made = config({"pool": kind, "worker_cores": 3, "mode": "auto"}).pool
    pool = make_pool(made)
    assert isinstance(pool, made_of)
    assert (pool.name, pool.master_url, pool.cores) == ("prod", "spark://spark:7077", 3)
    assert pool.containers == made.containers


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
        ({"pool": "kubernetes"}, {}, "'pool'"),
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


def test_where_a_connection_measures():
    assert config().metrics == MetricsConfig(master="spark")
    assert config({"metrics": "ganglia", "metrics_address": "g:8651"}).metrics.address == "g:8651"
    made = config(
        {
            "metrics": "prometheus",
            "metrics_address": "http://p:9090",
            "metrics_filter": 'job="node",dc=~"a|b"',
            "metrics_master": "m",
            "metrics_window": "30s",
            "driver_log": "s3://logs/{id}.log",
        }
    )
    assert made.metrics == MetricsConfig(
        "prometheus", "http://p:9090", "m", 'job="node",dc=~"a|b"', 30.0
    )
    assert made.driver_log == "s3://logs/{id}.log"


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"metrics": "collectd"}, "extra field 'metrics'"),
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


@pytest.mark.parametrize("field", sorted(_Extra.model_fields.keys() | {"pasword"}))
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
