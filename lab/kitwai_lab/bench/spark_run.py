"""Real applications on a real Spark cluster of this machine, scaled at stated moments."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from kitwai.core.records.observation import PoolWorker
from kitwai.errors import KitwaiError
from kitwai.pools.local.local_pool import LocalWorkerPool
from kitwai.pools.processes import stop_trees
from kitwai.pools.spark_options import QUICK_JVM
from kitwai_lab.demo.claim import claim
from kitwai_lab.local.spark import SparkMaster, event_log_conf, submit

CORES = 2
"""Cores of a worker."""

_WORKLOAD = Path(__file__).parent / "workload.py"
_TIMEOUT_S = 300.0
_POLL_S = 0.05
_SETTLE_S = 30.0
_QUIET_PERCENT = 15.0


@dataclass(frozen=True, slots=True)
class Change:
    """From ``at_s`` seconds after the application's start on, ``workers`` are wanted."""

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
    """An ended application. ``load``: the machine's load average of the last minute of it."""

    event_log: Path
    asked: tuple[Asked, ...]
    load: float


class RealCluster:
    """A master and a pool; one application at a time has all workers."""

    def __init__(self, folder: Path, master: SparkMaster) -> None:
        self.folder = folder
        self.master = master
        self.pool = LocalWorkerPool(master.url, folder / "pool", cores=CORES, memory_mb=512)
        self._runs = 0

    def keep(self, count: int) -> None:
        """Between applications: have exactly ``count`` workers, registered and nothing else, on a
        machine that has done with starting them, as far as it comes to rest within `_SETTLE_S`.

        :raises KitwaiError: they did not come or go in time.
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
        self._settle()

    def run(self, shape: str, size: int, changes: Sequence[Change] = ()) -> RealRun:
        """Run an application of `kitwai_lab.bench.workload` to its end.

        :raises KitwaiError: it failed or took too long.
        """
        self._runs += 1
        events = self.folder / f"events-{self._runs}"
        events.mkdir()
        log = self.folder / f"application-{self._runs}.log"
        child = submit(
            self.master.url,
            _WORKLOAD,
            [shape, "--size", str(size)],
            log=log,
            executor_cores=CORES,
            conf={
                "spark.executor.memory": "512m",
                "spark.driver.extraJavaOptions": QUICK_JVM,
                **event_log_conf(events.as_uri()),
            },
        )
        try:
            asked = tuple(self._follow(child, events, changes))
            code = child.wait(_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise KitwaiError(f"The application {shape} did not end; see {log}.") from error
        finally:
            if child.poll() is None:
                stop_trees([psutil.Process(child.pid)])
        if code != 0:
            raise KitwaiError(f"The application {shape} failed (exit code {code}); see {log}.")
        (event_log,) = events.iterdir()
        return RealRun(event_log, asked, os.getloadavg()[0])

    def _follow(
        self, child: subprocess.Popen[bytes], events: Path, changes: Sequence[Change]
    ) -> Iterator[Asked]:
        started_ms: float | None = None
        for change in changes:
            while child.poll() is None:
                started_ms = started_ms or _start_ms(events)
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
            return {one["host"] for one in answer.json()["workers"] if one["state"] == state}
        except (httpx.HTTPError, ValueError, KeyError) as error:
            raise KitwaiError(f"The master does not answer: {error}.") from error

    @staticmethod
    def _settle() -> None:
        """A JVM computes for some seconds after it has registered: what starts meanwhile is late by
        chance.
        """
        until = time.monotonic() + _SETTLE_S
        while psutil.cpu_percent(interval=1.0) > _QUIET_PERCENT and time.monotonic() < until:
            pass

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + _TIMEOUT_S
        while not condition():
            if time.monotonic() > until:
                raise KitwaiError(f"The workers did not {what} within {_TIMEOUT_S:.0f} s.")
            time.sleep(0.3)


@contextmanager
def real_cluster() -> Iterator[RealCluster]:
    """A cluster in a temporary folder; on leaving, all its processes end and the folder goes."""
    with tempfile.TemporaryDirectory(prefix="kitwai-bench-") as name:
        folder = Path(name)
        with claim(folder), SparkMaster(folder / "master") as master:
            cluster = RealCluster(folder, master)
            try:
                yield cluster
            finally:
                cluster.pool.stop_all()


def machine() -> dict[str, Any]:
    """What a figure of this machine depends on."""
    return {
        "cores": os.cpu_count(),
        "load_average": [round(one, 2) for one in os.getloadavg()],
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _start_ms(events: Path) -> float | None:
    """When the application of this event log started, None while the log does not say."""
    for log in events.iterdir():
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if '"SparkListenerApplicationStart"' in line:
                try:
                    return float(json.loads(line)["Timestamp"])
                except ValueError:
                    return None
    return None
