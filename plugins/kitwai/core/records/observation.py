"""What was seen of one cluster at one moment.

Every field that a source may fail to deliver is optional: ``None`` means *not known* and is never
to be read as zero. `Part` says for every source how old its answer is, or why there is none.
Times are seconds (epoch for moments), sizes bytes, shares 0..1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class WorkerState(StrEnum):
    """States of a worker in the eyes of the Spark master."""

    ALIVE = "ALIVE"
    DECOMMISSIONED = "DECOMMISSIONED"
    DEAD = "DEAD"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker as the master lists it; ``host`` is its address, one worker an address."""

    id: str
    host: str
    state: WorkerState
    cores: int
    cores_used: int
    memory_mb: int
    memory_used_mb: int


@dataclass(frozen=True, slots=True)
class PoolWorker:
    """One worker as its pool sees it, whether or not the master knows it.

    ``alive`` is the pool's own knowledge (the process or container exists); ``draining_since`` is
    the moment at which it was told to leave, None if it was not.
    """

    name: str
    host: str
    alive: bool
    started_at: float
    draining_since: float | None = None


@dataclass(frozen=True, slots=True)
class Executor:
    """One executor as its driver lists it (the driver's own entry is left out).

    ``memory_bytes`` of at most ``max_memory_bytes`` hold its blocks.
    """

    id: str
    host: str
    cores: int
    active_tasks: int
    stored_bytes: int
    shuffle_write_bytes: int
    memory_bytes: int | None = None
    max_memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Ran:
    """Tasks that finished while ``workers`` served, and the sum of their run times."""

    workers: int
    tasks: int
    run_ms: float


@dataclass(frozen=True, slots=True)
class Stage:
    """The newest attempt of one stage; ``run_ms`` sums the run time of its finished tasks.

    ``began_s``: launch of its first task, ``ended_s``: its end, in seconds since the application's
    start, None while it has not come or where Spark does not tell. ``ran``: the finished tasks by
    the workers that ran them (`kitwai.core.forecast.from_observation.with_counts`), empty where
    that is not known.
    """

    id: int
    status: str
    tasks: int
    active: int
    complete: int
    failed: int
    run_ms: float
    input_bytes: int
    shuffle_read_bytes: int
    shuffle_write_bytes: int
    began_s: float | None = None
    ended_s: float | None = None
    ran: tuple[Ran, ...] = ()


@dataclass(frozen=True, slots=True)
class DriverLog:
    """What a driver's log has told since its beginning, and up to where it was read.

    ``features``: lines by logger, the 34 of `kitwai.observe.log_lines`; ``levels``: lines by level;
    ``unparsed``: lines that name no logger. ``action_bytes`` (m_a) and ``transformation_bytes``
    (m_t) are totals (`kitwai.observe.driver_log`), None where no line of their logger was seen.
    ``complete``: nothing more was there to read. ``tail`` is a hash of what stands before
    ``offset``, by which a file that was rotated or written anew is told from one that grew.
    """

    lines: int
    unparsed: int
    features: Mapping[str, int]
    levels: Mapping[str, int]
    action_bytes: float | None
    transformation_bytes: float | None
    complete: bool
    offset: int
    tail: str
    in_long_line: bool = False


@dataclass(frozen=True, slots=True)
class Application:
    """One running application. ``stages`` holds those of submitted jobs that were not skipped.

    ``limit_s`` and ``max_workers`` are the application's own (Spark conf ``spark.kitwai.*``).
    ``idle_s``: time since its last job ended, or since its start; None while a job runs.
    ``inputs``: what it says its run differs by (Spark conf ``spark.kitwai.inputs.NAME``).
    ``log``: what its driver's log tells, None where none is configured or it could not be read; it
    is recorded and no part of a policy's state.
    ``endless``: it names no limit and is not expected to end (a stream, a shell, or so it says).
    ``cpu_s``: CPU time that its tasks have used, None where Spark does not tell.
    ``jobs``: how many it has submitted, None where nobody has told.
    ``shuffle_service``: its executors leave their shuffle files to Spark's external service.
    ``max_cores``: it never takes more, None where it takes all there are or nobody has told.
    ``error`` says why the driver could not be read; then executors and stages are None.
    """

    id: str
    name: str
    cores: int
    elapsed_s: float
    limit_s: float | None = None
    max_workers: int | None = None
    idle_s: float | None = None
    executors: tuple[Executor, ...] | None = None
    stages: tuple[Stage, ...] | None = None
    inputs: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    endless: bool = False
    cpu_s: float | None = None
    log: DriverLog | None = None
    shuffle_service: bool = False
    jobs: int | None = None
    max_cores: int | None = None


@dataclass(frozen=True, slots=True)
class HostMetrics:
    """CPU shares over all cores, network bytes/s of the master node, memory share in use."""

    cpu_user: float | None = None
    cpu_system: float | None = None
    net_in: float | None = None
    net_out: float | None = None
    memory: float | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """What the store remembers of the cluster, stored with the observation so that a decision can
    be rebuilt from it alone. ``idle_s``: time without a running application; None means not idle.
    ``changes_1h``: workers started or told to leave within the last hour.
    """

    idle_s: float | None = None
    since_scale_out_s: float | None = None
    since_scale_in_s: float | None = None
    operation: str | None = None
    changes_1h: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One source of an observation: the age of its answer in seconds, or why it has none."""

    name: str
    age_s: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One cluster at ``at`` (epoch seconds). None stands for a source that gave no answer."""

    cluster: str
    at: float
    workers: tuple[Worker, ...] | None = None
    pool: tuple[PoolWorker, ...] | None = None
    applications: tuple[Application, ...] | None = None
    host: HostMetrics | None = None
    past: Past = field(default_factory=Past)
    parts: tuple[Part, ...] = ()

    @property
    def lost_hosts(self) -> frozenset[str]:
        """Addresses whose worker the pool knows to be gone; the master notices only after 60 s."""
        if self.pool is None:
            return frozenset()
        living = {worker.host for worker in self.pool if worker.alive}
        return frozenset(worker.host for worker in self.pool) - living

    @property
    def serving(self) -> tuple[Worker, ...] | None:
        """Workers that take tasks now: alive for the master, neither lost nor draining."""
        if self.workers is None:
            return None
        leaving = {w.host for w in self.pool or () if w.alive and w.draining_since is not None}
        return tuple(
            worker
            for worker in self.workers
            if worker.state is WorkerState.ALIVE and worker.host not in leaving | self.lost_hosts
        )

    def serving_for(self, application: Application) -> tuple[Worker, ...] | None:
        """Those of `serving` with an executor of ``application``: all where it runs alone, or where
        it shows no executor.
        """
        alone = all(one.id == application.id for one in self.applications or ())
        if self.serving is None or alone or not application.executors:
            return self.serving
        hosts = {executor.host for executor in application.executors}
        return tuple(worker for worker in self.serving if worker.host in hosts)

    @property
    def starting(self) -> tuple[PoolWorker, ...]:
        """Workers that their pool has started and the master does not list as alive yet."""
        known = {w.host for w in self.workers or () if w.state is WorkerState.ALIVE}
        return tuple(
            worker
            for worker in self.pool or ()
            if worker.alive and worker.draining_since is None and worker.host not in known
        )

    @property
    def present(self) -> int | None:
        """`x` with the workers under way: what holding the present count means."""
        return None if self.serving is None else len(self.serving) + len(self.starting)
