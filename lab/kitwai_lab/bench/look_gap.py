"""How long the loop looks away while workers come and go: the gap from one look to the next.

Somebody pins the target so that five workers start. Then an application with tasks of 20 to 30 s
takes all workers. Another pin makes three of them drain, which takes as long as their tasks. The
moments of the looks are those of the stored observations.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from kitwai.core.records.overrides import Control
from kitwai.errors import KitwaiError
from kitwai.store.store import Store
from kitwai_lab.bench.setup import CLUSTER, Bench
from kitwai_lab.bench.workload import WORKLOAD
from kitwai_lab.local.waiting import wait_until

STARTING, DRAINING = 5, 3
_TIMEOUT_S = 180.0
_POLL_S = 0.5
_TASKS = "100"
_LOOKS_AFTER = 2


@dataclass(frozen=True, slots=True)
class LookGap:
    """``starting_s``, ``draining_s``: seconds from one look to the next while workers started, and
    while workers drained. ``started_within_s``, ``drained_within_s``: seconds from the pin until
    the last worker had registered, and until the last one was gone.
    """

    starting_s: tuple[float, ...]
    draining_s: tuple[float, ...]
    started_within_s: float
    drained_within_s: float

    @property
    def most_s(self) -> float:
        """The longest time without a look, in seconds."""
        return max(*self.starting_s, *self.draining_s)


def measure_look_gap(where: Bench, workers: int) -> LookGap:
    """Let `STARTING` workers join the ``workers`` present ones, then let `DRAINING` of them leave.

    :raises KitwaiError: the cluster did not reach a target in time.
    """
    store = Store(where.store_url)
    most = workers + STARTING
    starting_s, started_within_s = _watched(
        store, most, lambda: len(where.cluster.look(CLUSTER).serving or ()) >= most
    )
    job = where.cluster.submit(WORKLOAD, ["long", "--size", _TASKS])
    try:
        wait_until(
            lambda: _busy_workers(where) >= most,
            _TIMEOUT_S,
            KitwaiError(f"The application did not spread over {most} workers."),
            _POLL_S,
        )
        left = most - DRAINING
        draining_s, drained_within_s = _watched(
            store, left, lambda: sum(worker.alive for worker in where.pool.workers()) <= left
        )
    finally:
        job.stop()
    return LookGap(starting_s, draining_s, started_within_s, drained_within_s)


def gaps(looks: Sequence[float], begun: float) -> tuple[float, ...]:
    """Seconds from look to look, from the last look at or before the moment ``begun`` on.

    :param looks: the moments of all looks, in order, at least one of them after ``begun``.
    """
    before = [at for at in looks if at <= begun]
    after = [at for at in looks if at > begun]
    return tuple(later - earlier for earlier, later in pairwise([*before[-1:], *after]))


def _watched(
    store: Store, target: int, reached: Callable[[], bool]
) -> tuple[tuple[float, ...], float]:
    """Pin the target, wait until it is ``reached`` and looked at; the gaps, and seconds until it
    was reached.
    """
    begun = time.time()
    store.controls.add(CLUSTER, Control("pin", target, begun, "bench", begun + 3600.0))
    wait_until(
        reached, _TIMEOUT_S, KitwaiError(f"The pool did not reach {target} workers."), _POLL_S
    )
    reached_at = time.time()

    def looks() -> list[float]:
        return [seen.at for seen in store.observations(CLUSTER)]

    wait_until(
        lambda: sum(at > reached_at for at in looks()) >= _LOOKS_AFTER,
        _TIMEOUT_S,
        KitwaiError("The autoscale DAG looks no more."),
        _POLL_S,
    )
    return gaps(looks(), begun), reached_at - begun


def _busy_workers(where: Bench) -> int:
    return len(
        {
            executor.host
            for application in where.cluster.look(CLUSTER).applications or ()
            for executor in application.executors or ()
            if executor.active_tasks
        }
    )
