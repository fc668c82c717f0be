"""How soon workers of a pool come and go, and what a job loses when workers leave."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from kitwai.core.records.observation import Observation
from kitwai.core.records.scaling import ScalingProgress
from kitwai.errors import KitwaiError
from kitwai.pools.reach import reach
from kitwai_lab.bench.pool_cluster import Job, PoolCluster
from kitwai_lab.bench.workload import WORKLOAD
from kitwai_lab.event_log import Losses, read_losses

_WAIT_S = 240.0
_JOB_S = 600.0
_POLL_S = 0.2
_BETWEEN_S = 4.0


class _Unrecorded:
    """A scaling of the benchmark's cluster: nobody else scales it, and nobody reads a record."""

    def __init__(self) -> None:
        self.done = ScalingProgress()
        self.before = ScalingProgress()
        self.begun_at = time.time()

    def renew(self) -> None:
        """The right is never lost."""

    def note(self) -> None:
        """Nothing is kept."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """Seconds of scaling from one worker to ``workers`` and back.

    ``registration_s``: from the start of each worker's container or process to its registration;
    ``drain_s``: from the order to leave to each worker's end; ``out_s``, ``in_s``: from the call
    until the target is reached. ``longest_call_s``: the longest call that only does what is to be
    done, as a step's last task may have time for no more.
    """

    workers: int
    registration_s: tuple[float, ...]
    out_s: float
    drain_s: tuple[float, ...]
    in_s: float
    longest_call_s: float


@dataclass(frozen=True, slots=True)
class Leaving:
    """An application from which ``left`` workers were taken, ``how``: drained or killed."""

    how: str
    left: int
    finished: bool
    seconds: float
    losses: Losses | None


def measure_scaling(cluster: PoolCluster, workers: int) -> Scaling:
    """Scale from one to ``workers`` and back, with no application.

    :raises KitwaiError: the pool did not reach a target in time.
    """
    seen = _Moments(cluster.look)
    _reach(cluster, 1, seen)
    out_s = _reach(cluster, workers, seen)
    in_s = _reach(cluster, 1, seen)
    return Scaling(
        workers=workers,
        registration_s=tuple(seen.registration_s()),
        out_s=out_s,
        drain_s=tuple(seen.drain_s()),
        in_s=in_s,
        longest_call_s=max(seen.calls_s),
    )


def measure_leaving(
    cluster: PoolCluster,
    how: str,
    *,
    workers: int = 6,
    leave: int = 5,
    size: int = 100,
    progress: Callable[[str], None] = lambda _: None,
) -> Leaving:
    """Take ``leave`` of ``workers`` workers, one after another, from a job that shuffles.

    Afterwards the pool gets back to ``workers``, and the job ends.

    :param how: ``drained`` by the pool, or ``killed`` behind its back.
    :param size: tasks of the job's first stage (`kitwai_lab.bench.workload`, shape ``shuffles``).
    :raises KitwaiError: the pool did not reach a target in time.
    """
    seen = _Moments(cluster.look)
    _reach(cluster, workers, seen)
    job = cluster.submit(
        WORKLOAD, ["shuffles", "--size", str(size)], {"spark.executor.memory": "512m"}
    )
    began = time.monotonic()
    _await_holders(cluster, job, workers)
    left = 0
    while left < leave and job.poll() is None:
        if how == "drained":
            _reach(cluster, workers - left - 1, seen)
        else:
            cluster.kill(next(worker for worker in cluster.pool.workers() if worker.alive))
        if job.poll() is not None:
            break
        left += 1
        progress(f"{left} {how}")
        time.sleep(_BETWEEN_S)
    if job.poll() is None:
        # What is left of the job need not take long.
        _reach(cluster, workers, seen)
    until = time.monotonic() + _JOB_S
    while job.poll() is None and time.monotonic() < until:
        time.sleep(_POLL_S)
    if job.poll() != 0:
        progress(f"The job ended with {job.poll()}: {job.log()[-600:]}")
    return Leaving(
        how=how,
        left=left,
        finished=job.poll() == 0,
        seconds=time.monotonic() - began,
        losses=read_losses(job.event_log().splitlines()) if job.poll() is not None else None,
    )


class _Moments:
    """When each worker was first seen to serve, was told to leave, and was seen to be gone.

    ``calls_s``: seconds of each call of `reach`.
    """

    def __init__(self, look: Callable[[], Observation]) -> None:
        self._look = look
        self.calls_s: list[float] = []
        self._started: dict[str, float] = {}
        self._served: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._gone: dict[str, float] = {}

    def look(self) -> Observation:
        """The cluster now, its moments noted."""
        seen = self._look()
        now = time.time()
        serving = {worker.host for worker in seen.serving or ()}
        for worker in seen.pool or ():
            self._started.setdefault(worker.name, worker.started_at)
            if worker.host in serving:
                self._served.setdefault(worker.name, now)
            if worker.draining_since is not None:
                self._told.setdefault(worker.name, worker.draining_since)
            if not worker.alive:
                self._gone.setdefault(worker.name, now)
        return seen

    def registration_s(self) -> list[float]:
        """Seconds from start to registration, by start."""
        return [
            self._served[name] - at for name, at in self._started.items() if name in self._served
        ]

    def drain_s(self) -> list[float]:
        """Seconds from the order to leave to the end."""
        return [self._gone[name] - at for name, at in self._told.items() if name in self._gone]


def _reach(cluster: PoolCluster, target: int, seen: _Moments) -> float:
    """Call `reach` until the target is reached; returns how many seconds that took.

    :raises KitwaiError: the pool did not reach the target in time.
    """
    begun, operation = time.monotonic(), _Unrecorded()
    while True:
        called = time.monotonic()
        out = reach(target, cluster.pool, seen.look, operation, wait_s=0.0)
        now = time.monotonic()
        seen.calls_s.append(now - called)
        if out.settled:
            seen.look()
            return now - begun
        if out.failed or now - begun > _WAIT_S:
            raise KitwaiError(
                f"The pool did not reach {target} workers: {'; '.join((*out.failed, *out.waiting))}"
            )
        time.sleep(_POLL_S)


def _await_holders(cluster: PoolCluster, job: Job, count: int) -> None:
    """Wait until ``count`` hosts hold shuffle blocks.

    :raises KitwaiError: the job ended before, or it took too long.
    """
    until = time.monotonic() + _WAIT_S
    while True:
        holders = {
            executor.host
            for application in cluster.look().applications or ()
            for executor in application.executors or ()
            if executor.shuffle_write_bytes
        }
        if len(holders) >= count:
            return
        if job.poll() is not None or time.monotonic() > until:
            raise KitwaiError(f"The job did not spread over {count} workers: {job.log()[-600:]}")
        time.sleep(_POLL_S)
