"""How long a look at applications with long lists of tasks takes, and how much it reads.

The master and its drivers answer from a process of their own (`kitwai_lab.bench.masters`), with
answers as long as Spark's.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from kitwai.core.records.observation import Observation, Past
from kitwai.errors import KitwaiError
from kitwai.observe.look import Sources, observe
from kitwai_lab.bench.masters import Load, SimulatedMasters
from kitwai_lab.local.started import Started

TASKS = 10_000
_TIMEOUT_S = 20.0


def wanted(applications: int) -> tuple[float, float]:
    """Seconds and megabytes that a look should not exceed."""
    return (0.150 if applications == 1 else 2.0), 2.0 * applications


@dataclass(frozen=True, slots=True)
class Looks:
    """Some looks at a cluster of which each application has a stage of ``tasks`` tasks.

    ``new``: tasks that each stage has finished since the look before; ``told``: how its tasks were
    told; ``seconds``, ``cpu_s``: of each look; ``mb``: most megabytes that a look has read.
    """

    name: str
    applications: int
    tasks: int
    new: int
    told: str
    seconds: tuple[float, ...]
    cpu_s: tuple[float, ...]
    mb: float

    @property
    def median_s(self) -> float:
        """Median seconds of a look."""
        return statistics.median(self.seconds)

    @property
    def median_cpu_s(self) -> float:
        """Median processor seconds of a look: a busy machine does not change them."""
        return statistics.median(self.cpu_s)


def measure_looks(
    applications: int, new: int, looks: int, *, tasks: int = TASKS
) -> tuple[Looks, Looks]:
    """First looks at running applications, and looks that go on from the look before.

    :param applications: of the cluster; ``new``: tasks that each finishes between two looks.
    :raises KitwaiError: a look has missed an application.
    """
    with _Cluster(applications, tasks) as cluster:
        cluster.look(0, None)  # what the very first look loads is not counted
        first = [cluster.look(tasks // 2, None) for _ in range(looks)]
        before = cluster.look(new, None).seen
        later = []
        for number in range(2, looks + 2):
            later.append(cluster.look(min(number * new, tasks), before))
            before = later[-1].seen
    return (
        _summed("first look", applications, tasks, tasks // 2, first),
        _summed("later look", applications, tasks, new, later),
    )


@dataclass(frozen=True, slots=True)
class _Look:
    seen: Observation
    seconds: float
    cpu_s: float
    sent: int


class _Cluster(Started):
    """A master with applications, in a process of its own."""

    def __init__(self, applications: int, tasks: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, applications, tasks), daemon=True
        )
        self._url = ""

    def start(self) -> None:
        self._process.start()
        self._url = f"http://127.0.0.1:{self._pipe.recv()}"

    def stop(self) -> None:
        self._pipe.send(None)
        self._process.join(timeout=10.0)
        self._process.kill()

    def look(self, done: int, before: Observation | None) -> _Look:
        """Look once, when so many tasks of each stage have finished."""
        sent = self._set(done)
        began, cpu_began = time.perf_counter(), time.process_time()
        seen = observe(
            "bench",
            self._url,
            None,
            Past(),
            sources=Sources(metrics=None),
            previous=before,
            timeout_s=_TIMEOUT_S,
        )
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
        if any(one.error for one in seen.applications or ()) or not seen.applications:
            raise KitwaiError("A look has missed an application.")
        return _Look(seen, seconds, cpu_s, self._set(done) - sent)

    def _set(self, done: int) -> int:
        """Bytes that were sent so far; from now on, so many tasks have finished."""
        self._pipe.send(done)
        sent: int = self._pipe.recv()
        return sent


def _serve(pipe: Connection, applications: int, tasks: int) -> None:
    done = [0]
    with SimulatedMasters(1, Load(applications, tasks, 2000, lambda: done[0])) as masters:
        pipe.send(masters.ports[0])
        while (asked := pipe.recv()) is not None:
            done[0] = asked
            pipe.send(masters.sent)


def _summed(name: str, applications: int, tasks: int, new: int, looks: list[_Look]) -> Looks:
    told = {
        stage.told
        for look in looks
        for application in look.seen.applications or ()
        for stage in application.stages or ()
    }
    return Looks(
        name,
        applications,
        tasks,
        new,
        ", ".join(sorted(told)),
        tuple(look.seconds for look in looks),
        tuple(look.cpu_s for look in looks),
        max(look.sent for look in looks) / 1e6,
    )


def figures_of(looks: list[Looks]) -> list[dict[str, Any]]:
    """The figures of looks, for a file."""
    return [
        {
            "name": one.name,
            "applications": one.applications,
            "tasks": one.tasks,
            "new": one.new,
            "told": one.told,
            "median_s": one.median_s,
            "median_cpu_s": one.median_cpu_s,
            "mb": one.mb,
        }
        for one in looks
    ]
