"""The demo's own Spark cluster: master, worker pool, and the application that runs on it."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kitwai.core.records.observation import Observation, Past
from kitwai.observe.look import observe
from kitwai.pools.local.local_pool import LocalWorkerPool
from kitwai.pools.processes import stop_trees
from kitwai.pools.spark_options import write_auth
from kitwai_lab.demo import application
from kitwai_lab.demo.claim import DemoError
from kitwai_lab.demo.measure import Application, Recorder, read_event_log
from kitwai_lab.local.shuffle_service import running_shuffle_service
from kitwai_lab.local.spark import SparkMaster, event_log_conf, submit

CLUSTER = "spark_demo"
"""Connection id of the cluster."""

_CORES = 2
_MEMORY_MB = 768
_TICK_S = 1.0
# Airflow, six workers and the driver share few cores here: answers take seconds.
_OBSERVE_S = 8.0
_START_TIMEOUT_S = 90.0


@dataclass(frozen=True, slots=True)
class Workload:
    """The application's size, for N = 6 workers of two slots and a limit of 210 s.

    480 slot-seconds that any number of workers can share, then 52 s that one worker does as fast
    as six: one worker needs about five minutes, six stand idle for the last third.
    """

    tasks: int = 120
    permits: int = 4
    permit_s: float = 1.0
    levels: int = 13
    partitions: int = 2


class DemoCluster:
    """A Spark master with one worker, on free ports, with all its files in one folder.

    As a context manager it ends what it started; `recorder` keeps what `look` has seen.
    """

    def __init__(self, folder: Path) -> None:
        """:param folder: made anew."""
        shutil.rmtree(folder, ignore_errors=True)
        self.folder = folder
        self.events = folder / "events"
        self.events.mkdir(parents=True)
        self.recorder = Recorder()
        self._secret = secrets.token_urlsafe()
        self.master = SparkMaster(folder / "master", secret=self._secret)
        self._beside = ExitStack()
        self._shuffle: dict[str, str] = {}
        self.driver: subprocess.Popen[bytes] | None = None
        self.pool: LocalWorkerPool | None = None

    def start(self) -> None:
        """Start the master and the first worker; returns before that has registered."""
        self.master.start()
        workers = self.folder / "pool"
        # Without it a stage that begins while a worker leaves may ask where nobody answers.
        self._shuffle = self._beside.enter_context(
            running_shuffle_service(self.folder / "shuffle", self._secret, served=workers)
        )
        self.pool = LocalWorkerPool(
            self.master.url,
            workers,
            cores=_CORES,
            memory_mb=_MEMORY_MB,
            secret=self._secret,
        )
        self.pool.start(1)

    def stop(self) -> None:
        """End application, workers and master."""
        import psutil

        if self.driver is not None and self.driver.poll() is None:
            stop_trees([psutil.Process(self.driver.pid)])
        if self.pool is not None:
            self.pool.stop_all()
        self._beside.close()
        self.master.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def connection(self, max_workers: int, limit_s: float) -> dict[str, Any]:
        """The cluster as an Airflow connection in mode ``auto``."""
        return self.master.connection(
            {
                "max_workers": max_workers,
                "limit": limit_s,
                "mode": "auto",
                "quiet": "10s",
                "pool": "local",
                "pool_directory": str(self.folder / "pool"),
                "worker_cores": _CORES,
                "worker_memory_mb": _MEMORY_MB,
            }
        )

    def submit(self, workload: Workload, service_url: str, limit_s: float) -> None:
        """Submit the application with its limit."""
        self.driver = submit(
            self.master.url,
            Path(application.__file__),
            [
                *("--files", sysconfig.get_path("stdlib"), "--service", service_url),
                *("--permits", str(workload.permits), "--tasks", str(workload.tasks)),
                *("--levels", str(workload.levels), "--partitions", str(workload.partitions)),
            ],
            log=self.folder / "application.log",
            executor_cores=_CORES,
            properties_file=write_auth(self.folder / "auth.conf", self._secret),
            conf={
                "spark.app.name": "kitwai-demo",
                "spark.kitwai.timeLimit": f"{limit_s:.0f}s",
                "spark.executor.memory": f"{_MEMORY_MB}m",
                "spark.ui.showConsoleProgress": "false",
                **event_log_conf(self.events.as_uri()),
                **self._shuffle,
            },
        )

    def look(self) -> Observation:
        """What the cluster shows now."""
        observation = observe(CLUSTER, self.master.web_url, self.pool, Past(), timeout_s=_OBSERVE_S)
        self.recorder.add(observation)
        return observation

    def wait_until(
        self,
        what: str,
        done: Callable[[Observation], bool],
        timeout_s: float = _START_TIMEOUT_S,
    ) -> None:
        """Look once a second until ``done``.

        :raises DemoError: it took longer than ``timeout_s``.
        """
        until = time.monotonic() + timeout_s
        while not done(self.look()):
            if time.monotonic() > until:
                raise DemoError(f"It took over {timeout_s:.0f} s until {what}; see {self.folder}.")
            time.sleep(_TICK_S)

    def result(self) -> tuple[Application, dict[str, Any]]:
        """What the ended application's event log says, and the counts it printed.

        :raises DemoError: it failed.
        """
        log = self.folder / "application.log"
        record = read_event_log(self.events)
        code = self.driver.poll() if self.driver else None
        if code != 0 or record is None:
            raise DemoError(f"The application failed (exit code {code}); see {log}.")
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        printed = next(line for line in reversed(lines) if line.startswith('{"files"'))
        return record, json.loads(printed)
