"""Metric sources: CPU, network and memory of the cluster. One file a source."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kitwai.config.metrics import MetricsConfig
    from kitwai.observe.metrics.source import MetricSource


def make_source(config: MetricsConfig[Any]) -> MetricSource | None:
    """The source that ``config`` names; None for Spark's own metrics, which the drivers give."""
    from kitwai.config.kinds import METRIC_SOURCES

    module = import_module(METRIC_SOURCES[config.kind].module)
    source: MetricSource | None = module.make_source(config)
    return source
