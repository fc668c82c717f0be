"""The pool of a cluster whose workers somebody else runs."""

from __future__ import annotations

from typing import Any

from kitwai.config.pools import PoolConfig
from kitwai.core.records.observation import PoolWorker
from kitwai.errors import PoolError
from kitwai.pools.base import Each, untold


class UnmanagedPool:
    """It has no worker and starts none."""

    def workers(self) -> tuple[PoolWorker, ...]:
        """None of the cluster's workers belongs to it."""
        return ()

    def start(self, count: int, each: Each = untold) -> tuple[PoolWorker, ...]:
        """:raises PoolError: always, for any ``count`` above zero."""
        if count:
            raise PoolError('This cluster has no pool: set "pool" in its connection\'s extra.')
        return ()

    def drain(self, worker: PoolWorker) -> None:
        """:raises PoolError: always."""
        raise PoolError(f"{worker.name} is not run by Kitwai and cannot be drained by it.")

    def stop(self, worker: PoolWorker) -> None:
        """:raises PoolError: always."""
        raise PoolError(f"{worker.name} is not run by Kitwai and cannot be stopped by it.")

    def last_words(self, worker: PoolWorker) -> str:
        """:raises PoolError: always."""
        raise PoolError(f"{worker.name} is not run by Kitwai, which has no log of it.")


def make_pool(_config: PoolConfig[Any]) -> UnmanagedPool:
    """The pool of a connection with pool ``none``."""
    return UnmanagedPool()
