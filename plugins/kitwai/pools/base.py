"""What a worker pool is. Every pool passes the same contract tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from kitwai.core.records.observation import PoolWorker
from kitwai.core.records.scaling import ScalingProgress

Each = Callable[[PoolWorker], None]
"""Is told of every started worker before the next one starts. What it raises ends the start."""


def untold(worker: PoolWorker) -> None:
    """The `Each` of one who does not want to know."""


class WorkerPool(Protocol):
    """Starts and ends the workers of one cluster, and finds them again after any restart.

    The truth is where the workers are (process table, container engine), never the memory of one
    Python process: two pool objects for the same cluster see the same workers.
    Every method raises `kitwai.errors.PoolError` with one clear sentence when it cannot work.
    """

    def workers(self) -> tuple[PoolWorker, ...]:
        """All workers of this pool; those that ended in the last two minutes with alive=False."""
        ...

    def start(self, count: int, each: Each = untold) -> tuple[PoolWorker, ...]:
        """Start ``count`` more workers; returns at once, before they have registered.

        :param each: called after every started worker, so that those are known also when a later
            one cannot start.
        """
        ...

    def drain(self, worker: PoolWorker) -> None:
        """Ask ``worker`` to leave by Spark decommission; asking again changes nothing."""
        ...

    def stop(self, worker: PoolWorker) -> None:
        """End ``worker`` now, by force if it does not go; does nothing when it is gone."""
        ...

    def last_words(self, worker: PoolWorker) -> str:
        """The last line that ``worker`` logged, for a person who wonders why it does not come."""
        ...


class Operation(Protocol):
    """One scaling of one cluster: the right to do it, and the record of what it did.

    A scaling that one operation leaves unfinished is continued by the next.

    The store lends it (`kitwai.store.scalings.Operation`).
    """

    @property
    def begun_at(self) -> float:
        """When the scaling began (epoch seconds), in this operation or one that it continues."""
        ...

    @property
    def before(self) -> ScalingProgress:
        """What the operations did that it continues."""
        ...

    @property
    def done(self) -> ScalingProgress:
        """What the operation has done so far; whoever scales fills it."""
        ...

    def renew(self) -> None:
        """Keep the right; asked before every action.

        :raises kitwai.errors.LeaseLostError: it was lost; stop at once.
        """
        ...

    def note(self) -> None:
        """Put `done` on record, then `renew`; asked whenever a worker was started or drained."""
        ...
