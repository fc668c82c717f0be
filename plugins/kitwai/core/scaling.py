"""The scaling plan: which workers start, leave and end, so that a pool reaches a target.

A plan is computed again after every look at the cluster; carrying it out twice changes nothing
the second time, because the target is absolute and workers under way count as present.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kitwai.core.observation import Observation, PoolWorker, WorkerState

NEW_S = 60.0
"""Seconds from a worker's start within which its executor may still be coming up."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one worker would lose by leaving.

    ``cores_used`` is what the master has given away there; ``executor_cores`` what the executors
    have that drivers list there, None when a driver could not be asked.
    """

    state: WorkerState
    cores_used: int = 0
    executor_cores: int | None = 0
    active_tasks: int = 0
    stored_bytes: int = 0

    @property
    def registered(self) -> bool:
        """The master gives it executors."""
        return self.state is WorkerState.ALIVE

    @property
    def pending(self) -> bool:
        """An executor of it has not registered with its driver yet.

        Spark loses a decommission signal that comes before: the master says DECOMMISSIONED, and
        the driver goes on sending tasks.
        """
        known = self.executor_cores
        return self.registered and known is not None and known < self.cores_used

    @property
    def empty(self) -> bool:
        """It holds neither task nor block.

        Of a decommissioned worker the master's ``cores_used`` never falls again; that its executor
        is gone shows only in no driver listing it.
        """
        return self.cores_used == 0 or (self.executor_cores == 0 and not self.registered)


@dataclass(frozen=True, slots=True)
class ScalingPlan:
    """What to do now, in this order: start ``start`` workers, drain these, stop those.

    A worker that leaves with nothing to lose is both drained and stopped. ``waiting`` says in plain
    words what is still under way then; it is empty when the target is reached.
    """

    start: int
    drain: tuple[PoolWorker, ...]
    stop: tuple[PoolWorker, ...]
    waiting: tuple[str, ...]

    @property
    def settled(self) -> bool:
        """Nothing to do and nothing under way."""
        return not (self.start or self.drain or self.stop or self.waiting)


def loads(observation: Observation) -> dict[str, Load]:
    """The load of every worker address that the master lists."""
    applications = observation.applications
    executors = [executor for app in applications or () for executor in app.executors or ()]
    blind = applications is None or any(app.executors is None for app in applications)
    result: dict[str, Load] = {}
    for worker in observation.workers or ():
        if worker.state is WorkerState.DEAD:
            continue
        here = [executor for executor in executors if executor.host == worker.host]
        result[worker.host] = Load(
            state=worker.state,
            cores_used=worker.cores_used,
            executor_cores=None if blind else sum(e.cores for e in here),
            active_tasks=sum(e.active_tasks for e in here),
            stored_bytes=sum(e.stored_bytes + e.shuffle_write_bytes for e in here),
        )
    return result


def plan_scaling(
    target: int,
    pool: Iterable[PoolWorker],
    load_by_host: Mapping[str, Load],
    *,
    now: float,
    drain_timeout_s: float,
) -> ScalingPlan:
    """The next actions towards ``target`` workers, those that other parties run included.

    Leaving goes to workers that have not registered, then to idle ones, then to new ones whose
    executor is only just coming up (they are drained once it has registered), then to those with
    the fewest running tasks and the least stored data. Cores that no driver accounts for on a
    worker that is not new may be a driver's own: such a worker is the last to go.
    """
    own = tuple(pool)
    # The dead ones count as own too: the master lists them alive for another 60 s.
    own_hosts = {worker.host for worker in own}
    foreign = sum(
        1 for host, load in load_by_host.items() if load.registered and host not in own_hosts
    )
    wanted = max(0, target - foreign)
    unseen = Load(WorkerState.UNKNOWN)

    def load(worker: PoolWorker) -> Load:
        return load_by_host.get(worker.host, unseen)

    def is_draining(worker: PoolWorker) -> bool:
        return worker.draining_since is not None or load(worker).state is WorkerState.DECOMMISSIONED

    def is_overdue(worker: PoolWorker) -> bool:
        since = worker.draining_since
        return since is not None and now - since > drain_timeout_s

    def cost_of_leaving(worker: PoolWorker) -> tuple[bool, bool, int, int, bool, float]:
        its = load(worker)
        return (
            its.pending and now - worker.started_at > NEW_S,
            its.registered,
            its.active_tasks,
            its.stored_bytes,
            its.pending,
            -worker.started_at,
        )

    living = [worker for worker in own if worker.alive]
    draining = [worker for worker in living if is_draining(worker)]
    staying = [worker for worker in living if not is_draining(worker)]
    leaving = sorted(staying, key=cost_of_leaving)[: max(0, len(staying) - wanted)]
    staying = [worker for worker in staying if worker not in leaving]
    start = max(0, wanted - len(staying))
    # A scaler may have died between its note and its signal, and somebody else may have
    # decommissioned a worker that the pool has no note of. Telling twice changes nothing.
    untold = [w for w in draining if load(w).registered or w.draining_since is None]
    drain = tuple(w for w in (*leaving, *untold) if not load(w).pending)
    told = (*draining, *(w for w in leaving if w in drain))
    stop = tuple(w for w in told if load(w).empty or is_overdue(w))
    waiting = [
        *(f"{w.name} waits for its executor before it drains" for w in leaving if w not in drain),
        *(f"{w.name} drains" for w in told if w not in stop),
        *(f"{w.name} starts" for w in staying if not load(w).registered),
        *([f"{start} more start"] if start else []),
    ]
    return ScalingPlan(start, drain, stop, tuple(waiting))
