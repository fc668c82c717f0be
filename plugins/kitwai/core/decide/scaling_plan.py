"""The scaling plan: which workers start, drain and end, so that a pool reaches a target.

A plan is made anew after every look at the cluster. A plan carried out twice changes nothing the
second time: the target is absolute, and workers under way count as present.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kitwai.core.records.observation import (
    Executor,
    Observation,
    PoolWorker,
    Stage,
    Worker,
    WorkerState,
)

NEW_S = 60.0
"""Seconds from a worker's start within which its executor may still be coming up."""

UNREGISTERED_S = 120.0
"""Seconds from a worker's start after which the master should long have listed it."""

GONE_S = 20.0
"""Seconds from the order to leave within which executors without blocks are usually gone."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one worker would lose by leaving.

    ``state`` is the master's word, None where it does not list the worker. ``cores_used``: cores
    that the master has given away there. ``executor_cores``: cores of the executors that drivers
    list there, None where a driver that may have more gave no answer. ``asked_since`` (epoch
    seconds): begin of the oldest running stage whose tasks may ask the worker's shuffle service for
    files, None without such a stage.
    """

    state: WorkerState | None
    cores_used: int = 0
    executor_cores: int | None = 0
    active_tasks: int = 0
    stored_bytes: int = 0
    asked_since: float | None = None

    @property
    def registered(self) -> bool:
        """Whether the master gives executors to the worker."""
        return self.state is WorkerState.ALIVE

    @property
    def pending(self) -> bool:
        """Whether an executor of the worker has not registered with its driver yet.

        Spark loses a decommission signal that comes earlier: the master says DECOMMISSIONED, and
        the driver goes on sending tasks.
        """
        known = self.executor_cores
        return self.registered and known is not None and known < self.cores_used

    @property
    def empty(self) -> bool:
        """Whether the worker holds neither task nor block.

        The master's ``cores_used`` never falls for a decommissioned worker. Its executor is gone
        when no driver lists it any more.
        """
        return (self.cores_used if self.registered else self.executor_cores) == 0

    @property
    def unknown(self) -> bool:
        """Whether the worker may hold more than is known."""
        return self.executor_cores is None

    @property
    def hung(self) -> bool:
        """Whether the master has given the worker up, and nothing runs on it."""
        return self.state is WorkerState.DEAD and self.executor_cores == 0


@dataclass(frozen=True, slots=True)
class ScalingPlan:
    """What to do now: first start ``start`` workers, then drain workers, then stop workers.

    A worker that leaves with nothing to lose is both drained and stopped. ``waiting`` says in plain
    words what is still under way, and is empty when the target is reached. ``unregistered``: see
    the function of that name.
    """

    start: int
    drain: tuple[PoolWorker, ...]
    stop: tuple[PoolWorker, ...]
    waiting: tuple[str, ...]
    unregistered: tuple[PoolWorker, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether nothing is to do and nothing under way."""
        return not (self.start or self.drain or self.stop or self.waiting)


def loads(observation: Observation) -> dict[str, Load]:
    """The load of every worker address that the master or a driver lists."""
    applications = observation.applications
    blind = applications is None or any(app.executors is None for app in applications)
    asked_since = _asked_since(observation)
    executors: dict[str, list[Executor]] = {}
    for app in applications or ():
        for executor in app.executors or ():
            executors.setdefault(executor.host, []).append(executor)
    # A worker that came back under its address counts, not the dead one that the master remembers.
    dead_first = sorted(observation.workers or (), key=lambda w: w.state is not WorkerState.DEAD)
    listed = {worker.host: worker for worker in dead_first}
    return {
        host: _load(listed.get(host), executors.get(host, ()), blind=blind, asked_since=asked_since)
        for host in [*listed, *(host for host in executors if host not in listed)]
    }


def _load(
    worker: Worker | None,
    executors: Sequence[Executor],
    *,
    blind: bool,
    asked_since: float | None,
) -> Load:
    state = None if worker is None else worker.state
    cores_used = 0 if worker is None or state is WorkerState.DEAD else worker.cores_used
    cores = sum(executor.cores for executor in executors)
    if state is WorkerState.ALIVE or state is WorkerState.DECOMMISSIONED:
        known = not blind or cores >= cores_used
    else:
        # The master does not know what runs there. Drivers know, if the master lists it as dead.
        known = state is WorkerState.DEAD and not blind
    return Load(
        state=state,
        cores_used=cores_used,
        executor_cores=cores if known else None,
        active_tasks=sum(executor.active_tasks for executor in executors),
        stored_bytes=sum(e.stored_bytes + e.shuffle_write_bytes for e in executors),
        asked_since=asked_since,
    )


def foreign_workers(observation: Observation) -> int:
    """The number of workers that the master lists as alive and the pool does not know.

    Several may share an address. The pool's dead workers are its own too: the master lists them as
    alive for another 60 s.
    """
    own = {worker.host for worker in observation.pool or ()}
    return len(
        {
            worker.id
            for worker in observation.workers or ()
            if worker.state is WorkerState.ALIVE and worker.host not in own
        }
    )


def unregistered(
    pool: Iterable[PoolWorker], load_by_host: Mapping[str, Load], now: float
) -> tuple[PoolWorker, ...]:
    """Workers that the master should long have listed as alive, and does not.

    They may be at work all the same: a restarted master lists no worker at first.
    """
    return tuple(
        worker
        for worker in pool
        if worker.alive
        and worker.draining_since is None
        and now - worker.started_at > UNREGISTERED_S
        and _load_of(worker, load_by_host, now).state in (None, WorkerState.DEAD)
    )


def _load_of(worker: PoolWorker, load_by_host: Mapping[str, Load], now: float) -> Load:
    """The load of a worker of the pool.

    A worker that nobody lists holds nothing while it is new. Later it may have executors that a
    restarted master does not know.
    """
    unlisted = Load(None, executor_cores=0 if now - worker.started_at <= NEW_S else None)
    return load_by_host.get(worker.host, unlisted)


def _asked_since(observation: Observation) -> float | None:
    """Begin of the oldest running stage of applications that use a shuffle service.

    The first task of a stage learns where the map outputs are. Executors go on asking there, also
    when the outputs have moved since (SPARK-44635).
    """
    began = [
        observation.at - app.elapsed_s + stage.began_s
        for app in observation.applications or ()
        for stage in app.stages or ()
        if app.shuffle_service and stage.status == "ACTIVE" and stage.began_s is not None
        if _may_ask(stage, app.stages or ())
    ]
    return min(began, default=None)


def _may_ask(stage: Stage, stages: Sequence[Stage]) -> bool:
    """Whether the stage may read shuffle files: a stage before it has written some, or is not
    shown any more.
    """
    whole = min(other.id for other in stages) == 0
    return not whole or any(o.shuffle_write_bytes > 0 for o in stages if o.id < stage.id)


def plan_scaling(
    target: int,
    pool: Iterable[PoolWorker],
    load_by_host: Mapping[str, Load],
    *,
    now: float,
    drain_timeout_s: float,
    foreign: int = 0,
    patient: bool = False,
) -> ScalingPlan:
    """The next actions towards ``target`` workers, ``foreign`` workers of others included.

    Workers leave in this order:

    1. workers that have not registered,
    2. idle workers,
    3. new workers whose executor is only coming up (drained once the executor has registered),
    4. workers with the fewest running tasks, and then with the least stored data,
    5. workers whose load is not known because a driver is silent,
    6. older workers with cores that no driver accounts for: a driver itself may run there.

    Running stages may still ask an emptied worker for shuffle files. It serves them until these
    stages have ended, at most for ``drain_timeout_s``, and counts as gone.

    No worker is ended because the master does not list it. A worker that hangs (`Load.hung`) is
    ended and replaced.

    :param patient: wait with the choice of the leaving workers while the load of one is not known.
    """
    own = tuple(pool)
    wanted = max(0, target - foreign)
    load = {worker.name: _load_of(worker, load_by_host, now) for worker in own}

    def is_draining(worker: PoolWorker) -> bool:
        state = load[worker.name].state
        return worker.draining_since is not None or state is WorkerState.DECOMMISSIONED

    def is_overdue(worker: PoolWorker) -> bool:
        since = worker.draining_since
        return since is not None and now - since > drain_timeout_s

    def is_asked(worker: PoolWorker) -> bool:
        asked, told = load[worker.name].asked_since, worker.draining_since
        return asked is not None and told is not None and asked < told + GONE_S

    def cost_of_leaving(worker: PoolWorker) -> tuple[bool, bool, bool, int, int, bool, float]:
        held = load[worker.name]
        return (
            held.pending and now - worker.started_at > NEW_S,
            held.state is not None or held.active_tasks > 0 or held.stored_bytes > 0,
            held.unknown,
            held.active_tasks,
            held.stored_bytes,
            held.pending,
            -worker.started_at,
        )

    hung = tuple(worker for worker in own if worker.alive and load[worker.name].hung)
    living = [worker for worker in own if worker.alive and worker not in hung]
    missing = unregistered(living, load_by_host, now)
    draining = [worker for worker in living if is_draining(worker)]
    staying = [worker for worker in living if not is_draining(worker)]
    too_many = max(0, len(staying) - wanted)
    unsure = [w for w in staying if load[w.name].unknown] if patient and too_many else []
    leaving = [] if unsure else sorted(staying, key=cost_of_leaving)[:too_many]
    staying = [worker for worker in staying if worker not in leaving]
    start = max(0, wanted - len(staying))
    # A process may have died between its note and its signal. Somebody else may have decommissioned
    # a worker that the pool has no note of. A second order changes nothing.
    untold = [w for w in draining if load[w.name].registered or w.draining_since is None]
    drain = tuple(w for w in (*leaving, *untold) if not load[w.name].pending)
    told = (*draining, *(w for w in leaving if w in drain))
    emptied = [w for w in told if load[w.name].empty]
    stop = tuple(w for w in told if is_overdue(w) or (w in emptied and not is_asked(w)))
    waiting = [
        *(f"What {w.name} holds is not known, and who leaves not chosen yet" for w in unsure),
        *(f"{w.name} waits for its executor before it drains" for w in leaving if w not in drain),
        *(f"{w.name} drains" for w in told if w not in stop and w not in emptied),
        *(
            f"The master does not list {w.name} {now - w.started_at:.0f} s after its start"
            for w in missing
            if w in staying
        ),
        *(f"{w.name} starts" for w in staying if not load[w.name].registered and w not in missing),
        *([f"{start} more start"] if start else []),
    ]
    return ScalingPlan(start, drain, (*stop, *hung), tuple(waiting), missing)
