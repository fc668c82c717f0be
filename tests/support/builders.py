"""Short ways to build the records that the tests decide on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from kitwai.core.forecast.arrays import View
from kitwai.core.forecast.prior import Prior
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.observation import (
    Application,
    Executor,
    Observation,
    PoolWorker,
    Stage,
    Worker,
    WorkerState,
)
from kitwai.core.records.settings import ClusterSettings, Mode

COUNTS = 10
"""Worker counts that a `planned` family tells of."""


def host(number: int) -> str:
    return f"127.0.0.{number + 1}"


def worker(number: int, state: WorkerState = WorkerState.ALIVE, cores_used: int = 2) -> Worker:
    return Worker(f"worker-{number}", host(number), state, 2, cores_used, 1024, 512)


def pool_worker(number: int, *, alive: bool = True, draining_since: float | None = None):
    return PoolWorker(f"worker-{number}", host(number), alive, 100.0 + number, draining_since)


def stage(
    number: int = 0,
    *,
    tasks: int = 40,
    complete: int = 0,
    active: int = 0,
    task_s: float = 5.0,
    status: str = "ACTIVE",
) -> Stage:
    return Stage(number, status, tasks, active, complete, 0, complete * task_s * 1000.0, 0, 0, 0)


def executor(number: int, active_tasks: int = 0, stored: int = 0, cores: int = 2) -> Executor:
    return Executor(str(number), host(number), cores, active_tasks, stored, 0)


def application(
    *stages: Stage,
    elapsed_s: float = 30.0,
    limit_s: float | None = None,
    max_workers: int | None = None,
    executors: tuple[Executor, ...] | None = (),
    name: str = "job",
    idle_s: float | None = None,
    error: str | None = None,
) -> Application:
    return Application(
        id=f"app-{name}",
        name=name,
        cores=2,
        elapsed_s=elapsed_s,
        limit_s=limit_s,
        max_workers=max_workers,
        idle_s=idle_s,
        executors=None if error else executors,
        stages=None if error else stages,
        error=error,
    )


def observation(count: int, *applications: Application, **changes) -> Observation:
    fields = {
        "cluster": "test",
        "at": 1000.0,
        "workers": tuple(worker(n) for n in range(count)),
        "pool": tuple(pool_worker(n) for n in range(count)),
        "applications": applications,
    }
    return Observation(**(fields | changes))


def settings(most: int = 10, limit_s: float = 300.0, **changes) -> ClusterSettings:
    return ClusterSettings("test", Constraint(most, limit_s), **({"mode": Mode.AUTO} | changes))


@dataclass(frozen=True)
class Seen:
    """One stage of a `view`; ``ran``: workers -> (finished tasks, their run time in seconds)."""

    tasks: int
    ran: Mapping[int, tuple[int, float]] = field(default_factory=dict)
    active: int = 0
    began_s: float = np.inf
    ended_s: float = np.inf

    @property
    def complete(self) -> int:
        return sum(count for count, _ in self.ran.values())


def view(
    *stages: Seen,
    now: float = 100.0,
    serving: int = 2,
    workers: int | None = None,
    most: int = 10,
    limit_s: float = 600.0,
    cores: int = 2,
    counts: int = 10,
    jobs: int = 1,
) -> View:
    """One application (B = 1) as a policy is shown it."""
    cell_n, cell_s = np.zeros((2, 1, len(stages), counts + 1))
    for at, one in enumerate(stages):
        for count, (number, seconds) in one.ran.items():
            cell_n[0, at, count], cell_s[0, at, count] = number, seconds

    def ints(*values: int) -> np.ndarray:
        return np.array([values], dtype=np.int64)

    def floats(*values: float) -> np.ndarray:
        return np.array([values], dtype=np.float64)

    return View(
        now=floats(now)[0],
        max_workers=ints(most)[0],
        limit_s=floats(limit_s)[0],
        workers=ints(serving if workers is None else workers)[0],
        serving=ints(serving)[0],
        cores=ints(cores)[0],
        jobs=ints(jobs)[0],
        busy=np.ones(1),
        tasks=ints(*(one.tasks for one in stages)),
        active=ints(*(one.active for one in stages)),
        complete=ints(*(one.complete for one in stages)),
        run_s=cell_s.sum(axis=2),
        ended=np.array([[0 < one.tasks == one.complete for one in stages]]),
        over=np.zeros(1, dtype=np.bool_),
        began_s=floats(*(one.began_s for one in stages)),
        ended_s=floats(*(one.ended_s for one in stages)),
        cell_n=cell_n,
        cell_s=cell_s,
        first_n=np.zeros_like(cell_n),
        first_s=np.zeros_like(cell_s),
        age_s=np.full((1, len(stages)), np.nan),
        active_first=np.zeros((1, len(stages))),
    )


def planned(level=0.0, *, tasks=(100.0, 100.0), gap_s=(0.0, 0.0)) -> Prior:
    """A known family: stages of equal shares, a total work of exp(level) at every count."""
    size = len(tasks)
    return Prior(
        level=np.full((1, COUNTS), level),
        cov=0.3**2 * (np.full((1, COUNTS, COUNTS), 0.6) + 0.4 * np.eye(COUNTS)),
        loss=np.zeros((1, COUNTS)),
        share=np.full((1, size), -np.log(size)),
        spread=np.array([0.1]),
        tasks=np.array([tasks]),
        gap_s=np.array([gap_s]),
        warm_up_s=np.zeros(1),
        warm_up_weight=np.full(1, 2.0),
        informed=np.ones(1, dtype=bool),
    )


def sigmas(cov):
    return np.sqrt(np.diagonal(cov, axis1=-2, axis2=-1))
