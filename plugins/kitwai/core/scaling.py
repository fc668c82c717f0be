"""The scaling plan: which workers start, leave and end, so that a pool reaches a target.

A plan is computed again after every look at the cluster; carrying it out twice changes nothing
the second time, because the target is absolute and workers under way count as present.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kitwai.core.observation import Observation, PoolWorker, WorkerState


@dataclass(frozen=True, slots=True)
class Load:
    """What one worker would lose by leaving.

    ``registered``: the master lists it alive. ``pending``: it has cores in use that no driver
    accounts for, an executor that has not registered yet; Spark loses a decommission signal that
    comes before.
    """

    registered: bool
    pending: bool = False
    active_tasks: int = 0
    stored_bytes: int = 0
    cores_used: int = 0


@dataclass(frozen=True, slots=True)
class ScalingPlan:
    """What to do now: start ``start`` workers, drain these, stop those that have drained.

    ``waiting`` names what is still under way in plain words; empty when the target is reached.
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
    executors = [
        (application, executor)
        for application in observation.applications or ()
        for executor in application.executors or ()
    ]
    blind = any(app.executors is None for app in observation.applications or ())
    result: dict[str, Load] = {}
    for worker in observation.workers or ():
        if worker.state is WorkerState.DEAD:
            continue
        here = [executor for _, executor in executors if executor.host == worker.host]
        result[worker.host] = Load(
            registered=worker.state is WorkerState.ALIVE,
            pending=sum(e.cores for e in here) < worker.cores_used and not blind,
            active_tasks=sum(e.active_tasks for e in here),
            stored_bytes=sum(e.stored_bytes + e.shuffle_write_bytes for e in here),
            cores_used=worker.cores_used,
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

    Leaving goes to workers that have not registered, then to idle ones, then to those with the
    fewest running tasks and the least stored data, last to those whose executor is only just
    coming up (they are drained once it has registered).
    """
    own = tuple(pool)
    workers = [worker for worker in own if worker.alive]
    staying = [worker for worker in workers if worker.draining_since is None]
    # The dead ones count as own too: the master lists them alive for another 60 s.
    own_hosts = {worker.host for worker in own}
    foreign = sum(
        1 for host, load in load_by_host.items() if load.registered and host not in own_hosts
    )
    wanted = max(0, target - foreign)
    unseen = Load(registered=False)

    def cost_of_leaving(worker: PoolWorker) -> tuple[bool, bool, int, int, float]:
        load = load_by_host.get(worker.host, unseen)
        return (
            load.pending,
            load.registered,
            load.active_tasks,
            load.stored_bytes,
            -worker.started_at,
        )

    leaving = sorted(staying, key=cost_of_leaving)[: max(0, len(staying) - wanted)]
    drain = tuple(w for w in leaving if not load_by_host.get(w.host, unseen).pending)
    draining = [worker for worker in workers if worker.draining_since is not None]
    stop = tuple(
        worker
        for worker in draining
        if load_by_host.get(worker.host, unseen).cores_used == 0
        or now - (worker.draining_since or now) > drain_timeout_s
    )
    waiting = [
        *(f"{w.name} waits for its executor before it drains" for w in leaving if w not in drain),
        *(f"{w.name} drains" for w in draining if w not in stop),
        *(
            f"{w.name} starts"
            for w in staying
            if w not in leaving and not load_by_host.get(w.host, unseen).registered
        ),
    ]
    return ScalingPlan(
        start=max(0, wanted - len(staying)), drain=drain, stop=stop, waiting=tuple(waiting)
    )
