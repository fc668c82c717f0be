"""The kinds of pool and of metric source: one line each, by the name that a connection gives it.

The line names the model of its settings, and the module that makes it of them: a pool's module has
the function ``make_pool(config)``, a source's ``make_source(config)``. A module is named, not
imported: a process loads only what its cluster needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

from kitwai.config.metrics import SourceSettings
from kitwai.config.metrics.ganglia import GangliaSettings
from kitwai.config.metrics.prometheus import PrometheusSettings
from kitwai.config.pools import PoolSettings
from kitwai.config.pools.docker import DockerSettings
from kitwai.config.pools.local import LocalSettings
from kitwai.config.pools.swarm import SwarmSettings

Settings = TypeVar("Settings", covariant=True)


class Kind(NamedTuple, Generic[Settings]):
    """``settings``: the model of its fields; ``module``: where it is made."""

    settings: type[Settings]
    module: str


POOLS: Mapping[str, Kind[PoolSettings]] = {
    "none": Kind(PoolSettings, "kitwai.pools.unmanaged"),
    "local": Kind(LocalSettings, "kitwai.pools.local.local_pool"),
    "docker": Kind(DockerSettings, "kitwai.pools.docker.docker_pool"),
    "swarm": Kind(SwarmSettings, "kitwai.pools.swarm.swarm_pool"),
}

METRIC_SOURCES: Mapping[str, Kind[SourceSettings]] = {
    "psutil": Kind(SourceSettings, "kitwai.observe.metrics.host"),
    "ganglia": Kind(GangliaSettings, "kitwai.observe.metrics.ganglia"),
    "prometheus": Kind(PrometheusSettings, "kitwai.observe.metrics.prometheus"),
    "spark": Kind(SourceSettings, "kitwai.observe.metrics.spark"),
}
