"""Short ways to build the records that the tests decide on."""

from __future__ import annotations

from kitwai.core.constraint import Constraint
from kitwai.core.decision import ClusterSettings, Mode
from kitwai.core.observation import (
    Application,
    Executor,
    Observation,
    PoolWorker,
    Stage,
    Worker,
    WorkerState,
)


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
