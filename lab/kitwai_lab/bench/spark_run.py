"""Real applications on a real Spark cluster of this machine, scaled at stated moments."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from kitwai.core.records.observation import PoolWorker
from kitwai.errors import KitwaiError
from kitwai.pools.spark_options import QUICK_JVM
from kitwai_lab.bench.workload import WORKLOAD
from kitwai_lab.demo.claim import claim
from kitwai_lab.event_log import read_events
from kitwai_lab.local.cluster import LocalCluster
from kitwai_lab.local.spark import LocalApplication
from kitwai_lab.local.waiting import wait_until

CORES = 2
"""Cores of a worker."""

_TIMEOUT_S = 300.0
_POLL_S = 0.05
_SETTLE_S = 30.0
_QUIET_PERCENT = 15.0


@dataclass(frozen=True, slots=True)
class Change:
    """``workers`` are wanted from ``at_s`` seconds after the application's start on."""

    at_s: float
    workers: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A change as it was carried out; ``at_ms``: epoch time of the request."""

    at_ms: float
    started: tuple[PoolWorker, ...] = ()
    drained: tuple[PoolWorker, ...] = ()


@dataclass(frozen=True, slots=True)
class RealRun:
    """An ended application. ``load``: the machine's load average over its last minute."""

    event_log: Path
    asked: tuple[Asked, ...]
    load: float


class RealCluster(LocalCluster):
    """A cluster on which one application at a time has all workers."""

    def __init__(self, folder: Path, *, shuffle_service: bool = False) -> None:
        """Parameters are those of `LocalCluster`."""
        super().__init__(folder, cores=CORES, memory_mb=512, shuffle_service=shuffle_service)

    def keep(self, count: int, settle_s: float = _SETTLE_S) -> None:
        """Between applications: have exactly ``count`` workers, all registered.

        The machine then comes to rest from starting them, as far as ``settle_s`` seconds allow.

        :raises KitwaiError: the workers did not come or go in time.
        """
        for worker in self._staying()[count:]:
            self.pool.drain(worker)
        self._wait(lambda: len(self._listed("ALIVE")) <= count, "leave")
        for worker in self.pool.workers():
            if worker.alive and worker.draining_since is not None:
                self.pool.stop(worker)
        self.pool.start(count - len(self._staying()))
        wanted = {worker.host for worker in self._staying()}
        self._wait(lambda: self._listed("ALIVE") == wanted, "register")
        self._settle(settle_s)

    def run(self, shape: str, size: int, changes: Sequence[Change] = ()) -> RealRun:
        """Run an application of `kitwai_lab.bench.workload` to its end.

        :param changes: of the count of workers, in the order of their moments.
        :raises KitwaiError: the application failed or took too long.
        """
        application = self.submit(
            WORKLOAD,
            [shape, "--size", str(size)],
            {"spark.driver.extraJavaOptions": QUICK_JVM},
        )
        asked = tuple(self._follow(application, changes))
        application.finish(_TIMEOUT_S)
        return RealRun(application.event_log_file(), asked, os.getloadavg()[0])

    def _follow(self, application: LocalApplication, changes: Sequence[Change]) -> Iterator[Asked]:
        started_ms: float | None = None
        for change in changes:
            while application.poll() is None:
                started_ms = started_ms or _start_ms(application.events)
                if started_ms and time.time() >= started_ms / 1000.0 + change.at_s:
                    yield self._change(change.workers)
                    break
                time.sleep(_POLL_S)

    def _change(self, count: int) -> Asked:
        staying, now_ms = self._staying(), time.time() * 1000.0
        if count >= len(staying):
            return Asked(now_ms, started=self.pool.start(count - len(staying)))
        for worker in staying[count:]:
            self.pool.drain(worker)
        return Asked(now_ms, drained=tuple(staying[count:]))

    def _staying(self) -> list[PoolWorker]:
        return [w for w in self.pool.workers() if w.alive and w.draining_since is None]

    def _listed(self, state: str) -> set[str]:
        try:
            answer = httpx.get(f"{self.master.web_url}/json/", timeout=10.0, trust_env=False)
            workers = answer.json()["workers"]
            return {worker["host"] for worker in workers if worker["state"] == state}
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise KitwaiError(f"The master does not answer: {error}.") from error

    @staticmethod
    def _settle(settle_s: float) -> None:
        """Wait for JVMs, which compute for some seconds after they have registered.

        An application that starts meanwhile is late by chance.
        """
        until = time.monotonic() + settle_s
        while psutil.cpu_percent(interval=1.0) > _QUIET_PERCENT and time.monotonic() < until:
            pass

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        late = KitwaiError(f"The workers did not {what} within {_TIMEOUT_S:.0f} s.")
        wait_until(condition, _TIMEOUT_S, late)


@contextmanager
def real_cluster() -> Iterator[RealCluster]:
    """A cluster in a temporary folder; on leaving, all its processes end and the folder goes."""
    with tempfile.TemporaryDirectory(prefix="kitwai-bench-") as name:
        folder = Path(name)
        with claim(folder), RealCluster(folder) as cluster:
            yield cluster


def _start_ms(events: Path) -> float | None:
    """When an application started, in epoch ms; None while its event log does not say.

    :param events: the folder of its event log.
    """
    for file in events.glob("[!.]*"):
        with file.open("rb") as lines:
            for event in read_events(lines, "ApplicationStart"):
                return float(event["Timestamp"])
    return None
