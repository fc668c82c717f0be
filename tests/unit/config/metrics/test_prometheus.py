"""Where a connection measures: the settings of Prometheus, and of sources without any."""

from __future__ import annotations

from kitwai.config.connection import cluster_config
from kitwai.config.metrics import MetricsConfig, SourceSettings
from kitwai.config.metrics.prometheus import PrometheusSettings


def config(extra=None, **asked):
    fields = {"host": "spark", "port": 8080, "schema": "http", "extra": extra or {}}
    return cluster_config("prod", **(fields | asked))


def test_where_a_connection_measures():
    assert config().metrics == MetricsConfig("psutil", "spark", SourceSettings())
    ganglia = config({"metrics": "ganglia", "metrics_address": "g:8651"}).metrics
    assert ganglia.settings.address == ("g", 8651)
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
    settings = PrometheusSettings(
        metrics_address="http://p:9090",
        metrics_filter='job="node",dc=~"a|b"',
        metrics_master="m",
        metrics_window="30s",
    )
    assert made.metrics == MetricsConfig("prometheus", "m", settings)
    assert settings.metrics_window == 30.0
    assert made.driver_log == "s3://logs/{id}.log"
