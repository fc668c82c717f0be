"""The record of an observation: one cluster at one moment, as all sources show it.

Every field that a source may fail to deliver is optional. ``None`` means *not known* and must never
be read as zero. `Part` says for every source how old its answer is, or why there is none. Times are
seconds (moments since the epoch), sizes bytes, shares 0..1.
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
    """One worker as the master lists it. ``host`` is its address; an address has one worker."""

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

    ``alive``: whether its process or container exists; ``draining_since``: when it was told to
    leave, None if it was not.
    """

    name: str
    host: str
    alive: bool
    started_at: float
    draining_since: float | None = None


@dataclass(frozen=True, slots=True)
class Executor:
    """One executor as its driver lists it; the driver's own entry is left out.

    ``memory_bytes``: memory that holds its blocks, at most ``max_memory_bytes``; ``added_at``: when
    it registered, in epoch seconds, None if Spark does not tell.
    """

    id: str
    host: str
    cores: int
    active_tasks: int
    stored_bytes: int
    shuffle_write_bytes: int
    memory_bytes: int | None = None
    max_memory_bytes: int | None = None
    added_at: float | None = None


@dataclass(frozen=True, slots=True)
class Ran:
    """Finished tasks of one kind: those that were launched while ``workers`` served.

    ``run_ms``: sum of their times; ``first``: they were the first tasks on their slots;
    ``log_sum``, ``log_squares``: sums of the logs of their times in ms, and of the squares of these
    logs, None if only the sum of the times is known.
    """

    workers: int
    tasks: int
    run_ms: float
    first: bool = False
    log_sum: float | None = None
    log_squares: float | None = None


class Told(StrEnum):
    """How Spark told the times of a stage's tasks: task by task, by quantiles, or as one sum."""

    TASKS = "tasks"
    QUANTILES = "quantiles"
    SUM = "sum"


@dataclass(frozen=True, slots=True)
class TasksRead:
    """The place up to which a stage's list of tasks was read: the next look goes on there.

    ``settled``: tasks at the list's begin that have all ended; ``last_id``: id of the last of them;
    ``ran``: what they tell. ``attempt``: of the stage.
    """

    attempt: int
    settled: int
    last_id: int
    ran: tuple[Ran, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """The newest attempt of one stage.

    ``run_ms``: sum of the run times of its finished tasks; ``began_s``: launch of its first task,
    and ``ended_s``: its end, in seconds since the application's start. They are None before, or if
    Spark does not tell. ``ran``: the finished tasks by how many workers served, empty if that is
    not known; ``told``: where they come from. Read from tasks, ``running_s`` is the sum of the ages
    of the tasks under way, and ``running_first`` counts those that are the first on their slots.
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
    told: Told = Told.SUM
    running_s: float | None = None
    running_first: int = 0
    read: TasksRead | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class DriverLog:
    """Totals of a driver's log since its beginning, and the place up to which it was read.

    ``features``: lines by logger, for the 34 loggers of `kitwai.observe.log_lines`; ``levels``:
    lines by level; ``unparsed``: lines that name no logger; ``action_bytes`` (m_a) and
    ``transformation_bytes`` (m_t): totals (`kitwai.observe.driver_log`), None if no line of their
    logger was seen; ``complete``: whether the log was read to its end; ``tail``: a hash of the
    bytes before ``offset``, which tells a grown file from a file that was rotated or written anew;
    ``in_long_line``: whether ``offset`` lies in a line that is skipped.
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
    """One running application.

    ``stages``: stages of submitted jobs that were not skipped.
    ``limit_s``, ``max_workers``: the application's own (Spark conf ``spark.kitwai.*``).
    ``idle_s``: seconds since its last job ended, or since its start; None while a job runs.
    ``inputs``: how it says that its run differs (Spark conf ``spark.kitwai.inputs.NAME``).
    ``log``: totals of its driver's log, None if no log is configured or readable. The log is
    recorded, but is no part of a policy's state.
    ``endless``: it names no limit and is not expected to end: a stream, a shell, or by its word.
    ``cpu_s``: CPU seconds that its tasks have used, None if Spark does not tell.
    ``jobs``: number of submitted jobs, None if unknown.
    ``shuffle_service``: its executors leave their shuffle files to Spark's external service.
    ``max_cores``: the most cores that it takes, None if it takes all or that is unknown.
    ``served``: workers with an executor of it, as pairs of seconds since its start and the count
    from then on; ``warm_s``: by executor, from when on its tasks were not the first on their slots,
    in seconds since the start.
    ``error``: why the driver could not be read; then executors and stages are None.
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
    served: tuple[tuple[float, int], ...] = ()
    warm_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HostMetrics:
    """CPU shares of all cores, network of the master's node in bytes/s, share of memory in use."""

    cpu_user: float | None = None
    cpu_system: float | None = None
    net_in: float | None = None
    net_out: float | None = None
    memory: float | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """The cluster's past as the store knows it.

    It is stored with the observation, so that a decision can be rebuilt from the observation alone.
    ``idle_s``: seconds without a running application, None if an application runs;
    ``since_scale_out_s``, ``since_scale_in_s``: seconds since workers were started, or told to
    leave; ``changes_1h``: workers started or told to leave within the last hour;
    ``start_delay_s``: what new workers need until they take tasks
    (`kitwai.core.forecast.start_delay`), None if no worker has shown it.
    """

    idle_s: float | None = None
    since_scale_out_s: float | None = None
    since_scale_in_s: float | None = None
    operation: str | None = None
    changes_1h: int | None = None
    start_delay_s: float | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One source of an observation: the age of its answer in seconds, or why it has none."""

    name: str
    age_s: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One cluster at the moment ``at`` (epoch seconds). None: the source gave no answer."""

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
        """Addresses whose worker the pool knows to be gone. The master notices only after 60 s."""
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
        """The workers of `serving` with an executor of ``application``.

        They are all workers of `serving` if the application runs alone or shows no executor.
        """
        alone = all(running.id == application.id for running in self.applications or ())
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
        """The present count of workers, serving and starting; None if the master is unknown."""
        return None if self.serving is None else len(self.serving) + len(self.starting)
