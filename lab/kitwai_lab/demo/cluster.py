"""The demo's own Spark cluster: master, worker pool, and the application that runs on it."""

from __future__ import annotations

import json
import shutil
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kitwai.core.records.observation import Observation
from kitwai_lab.demo import application
from kitwai_lab.demo.claim import DemoError
from kitwai_lab.demo.measure import Application, Recorder, read_event_log
from kitwai_lab.local.cluster import LocalCluster
from kitwai_lab.local.spark import LocalApplication
from kitwai_lab.local.waiting import wait_until

CLUSTER = "spark_demo"
"""Connection id of the cluster."""

_TICK_S = 1.0
# Airflow, six workers and the driver share few cores here: answers take seconds.
_OBSERVE_S = 8.0
_START_TIMEOUT_S = 90.0


@dataclass(frozen=True, slots=True)
class Workload:
    """The application's size, for N = 6 workers of two slots and a limit of 210 s.

    480 slot-seconds can be shared by any number of workers. Further 52 s go as fast on one worker
    as on six. One worker needs about five minutes; six stand idle for the last third.
    """

    tasks: int = 120
    permits: int = 4
    permit_s: float = 1.0
    levels: int = 13
    partitions: int = 2


class DemoCluster(LocalCluster):
    """A cluster that starts with one worker and has all its files in one folder.

    ``recorder`` keeps what `wait_until` has seen since the last `record_anew`. ``driver`` is the
    newest application, None before `run`.
    """

    def __init__(self, folder: Path) -> None:
        """:param folder: made anew."""
        shutil.rmtree(folder, ignore_errors=True)
        # Without the service a stage that begins while a worker leaves may ask where nobody
        # answers.
        super().__init__(folder, cores=2, memory_mb=768, shuffle_service=True)
        self.recorder = Recorder()
        self.driver: LocalApplication | None = None
        self._runs = 0

    def start(self) -> None:
        """Start the master and the first worker; returns before the worker has registered."""
        super().start()
        self.pool.start(1)

    def record_anew(self) -> None:
        """Forget what has been recorded."""
        self.recorder = Recorder()

    def run(self, workload: Workload, service_url: str, limit_s: float) -> None:
        """Submit the application with its limit. Its files lie in ``run-1``, ``run-2`` ..."""
        self._runs += 1
        self.driver = self.submit(
            Path(application.__file__),
            [
                *("--files", sysconfig.get_path("stdlib"), "--service", service_url),
                *("--permits", str(workload.permits), "--tasks", str(workload.tasks)),
                *("--levels", str(workload.levels), "--partitions", str(workload.partitions)),
            ],
            {
                "spark.app.name": "kitwai-demo",
                "spark.kitwai.timeLimit": f"{limit_s:.0f}s",
                "spark.ui.showConsoleProgress": "false",
            },
            folder=self.folder / f"run-{self._runs}",
        )

    @property
    def application_ended(self) -> bool:
        """Whether the newest application has ended."""
        return self.driver is not None and self.driver.poll() is not None

    def wait_until(
        self,
        what: str,
        done: Callable[[Observation], bool],
        timeout_s: float = _START_TIMEOUT_S,
    ) -> None:
        """Look once a second until ``done``, and record what is seen.

        :raises DemoError: it took longer than ``timeout_s``; the message names ``what``.
        """
        late = DemoError(f"It took over {timeout_s:.0f} s until {what}; see {self.folder}.")
        wait_until(lambda: done(self._watch()), timeout_s, late, _TICK_S)

    def result(self) -> tuple[Application, dict[str, Any]]:
        """What the newest application's event log says, and the counts it printed.

        :raises DemoError: the application failed.
        :raises InvalidInputError: its event log is not whole.
        """
        code = self.driver.poll() if self.driver else None
        if self.driver is None or code != 0:
            log = self.driver.log_file if self.driver else self.folder
            raise DemoError(f"The application failed (exit code {code}); see {log}.")
        printed = self.driver.log_file.read_text(encoding="utf-8", errors="replace")
        lines = printed.splitlines()
        counts = next(line for line in reversed(lines) if line.startswith('{"files"'))
        return read_event_log(self.driver.events), json.loads(counts)

    def _watch(self) -> Observation:
        observation = self.look(CLUSTER, _OBSERVE_S)
        self.recorder.add(observation)
        return observation
