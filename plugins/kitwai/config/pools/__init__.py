"""What every pool is made from, and in a file a kind of pool its own settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import Field

from kitwai.config.fields import Fields


class PoolSettings(Fields):
    """The size of a worker: the fields of every kind of pool."""

    worker_cores: int = Field(2, strict=True)
    worker_memory_mb: int = Field(1024, strict=True, ge=256)


Settings = TypeVar("Settings", bound=PoolSettings)


@dataclass(frozen=True, slots=True)
class PoolConfig(Generic[Settings]):
    """Which pool runs the workers of a cluster.

    ``kind``: its name in `kitwai.config.kinds.POOLS`. ``name``: the connection's, which tells the
    cluster's pool from others. ``master``: its ``spark://`` address. ``web_url``: its web UI.
    ``settings``: the fields of this kind. ``secret``: Spark's ``spark.authenticate.secret``; None
    where the cluster has none.
    """

    kind: str
    name: str
    master: str
    web_url: str
    settings: Settings
    secret: str | None = field(default=None, repr=False)
