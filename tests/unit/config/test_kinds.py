"""The kinds of pool and of metric source."""

from __future__ import annotations

import re

import pytest

from kitwai.config.connection import FIELD_NAMES, cluster_config
from kitwai.config.kinds import METRIC_SOURCES, POOLS
from kitwai.config.metrics import MetricsConfig, SourceSettings
from kitwai.config.metrics.ganglia import GangliaSettings
from kitwai.config.metrics.prometheus import PrometheusSettings
from kitwai.observe.metrics import make_source
from kitwai.pools import make_pool
from kitwai.pools.docker.docker_pool import DockerWorkerPool
from kitwai.pools.swarm.swarm_pool import SwarmWorkerPool


def config(extra=None, **asked):
    fields = {"host": "spark", "port": 8080, "schema": "http", "extra": extra or {}}
    return cluster_config("prod", **(fields | asked))


@pytest.mark.parametrize(
    ("kind", "made_of"), [("docker", DockerWorkerPool), ("swarm", SwarmWorkerPool)]
)
def test_a_connection_with_containers_gets_a_pool_of_them(kind, made_of):
    made = config({"pool": kind, "worker_cores": 3, "mode": "auto"}).pool
    pool = make_pool(made)
    assert isinstance(pool, made_of)
    assert (pool.name, pool.master_url, pool.cores) == ("prod", "spark://spark:7077", 3)
    assert pool.containers == made.settings.containers


def test_which_source_a_connection_names():
    assert make_source(MetricsConfig("psutil", "m", SourceSettings())).__name__ == "read_nodes"
    settings = GangliaSettings(metrics_address="[::1]:8649", metrics_filter="a")
    ganglia = make_source(MetricsConfig("ganglia", "m", settings))
    assert (ganglia.args, ganglia.keywords) == (("::1", 8649), {"cluster": "a"})
    settings = PrometheusSettings(metrics_address="http://p:9090", metrics_window="30s")
    prometheus = make_source(MetricsConfig("prometheus", "m", settings))
    assert prometheus.args == ("http://p:9090",)
    assert prometheus.keywords == {"matcher": None, "window_s": 30.0}
    assert make_source(MetricsConfig("spark", "m", SourceSettings())) is None


POOL_FIELDS = {"pool_directory": "/pools", "worker_cores": 3}
SOURCE_FIELDS = {"ganglia": "g:8651", "prometheus": "http://p:9090"}


@pytest.mark.parametrize("kind", POOLS)
def test_each_pool_is_made_of_its_own_settings(kind):
    made = config({"pool": kind, **POOL_FIELDS})
    assert type(made.pool.settings) is POOLS[kind].settings
    assert made.settings.cores_per_worker == 3
    assert make_pool(made.pool).last_words is not None


@pytest.mark.parametrize("kind", METRIC_SOURCES)
def test_each_source_is_made_of_its_own_settings(kind):
    address = {"metrics_address": SOURCE_FIELDS[kind]} if kind in SOURCE_FIELDS else {}
    made = config({"metrics": kind, **address}).metrics
    assert type(made.settings) is METRIC_SOURCES[kind].settings
    assert (make_source(made) is None) is (kind == "spark")


def test_every_field_is_documented(repository):
    text = (repository / "docs" / "settings.md").read_text()
    assert set(re.findall(r"`(\w+)`", text)) >= FIELD_NAMES
