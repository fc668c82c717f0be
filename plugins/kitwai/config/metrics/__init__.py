"""What every metric source is made from, and in a file a source its own settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from kitwai.config.fields import Fields


class SourceSettings(Fields):
    """The field of every metric source, and of `psutil` and `spark` the only one.

    ``metrics_master``: the name or address under which the source knows the master's node.
    """

    metrics_master: str | None = None


Settings = TypeVar("Settings", bound=SourceSettings)


@dataclass(frozen=True, slots=True)
class MetricsConfig(Generic[Settings]):
    """Where a cluster's CPU, memory and network are measured (`kitwai.observe.metrics`).

    ``kind``: its name in `kitwai.config.kinds.METRIC_SOURCES`. ``master``: the name or address
    under which the source knows the master's node. ``settings``: the fields of this source.
    """

    kind: str
    master: str
    settings: Settings
