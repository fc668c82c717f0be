"""Worker pools: what starts, drains and ends Spark workers. One folder a kind of pool."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kitwai.config.pools import PoolConfig
    from kitwai.pools.base import WorkerPool


def make_pool(config: PoolConfig[Any]) -> WorkerPool:
    """The pool that ``config`` asks for."""
    from kitwai.config.kinds import POOLS

    pool: WorkerPool = import_module(POOLS[config.kind].module).make_pool(config)
    return pool
