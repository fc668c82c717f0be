"""Many simulated Spark masters that answer over HTTP as Spark does.

They stand for clusters that are elsewhere. A step asks them over real sockets, and their answers
are as long as real answers.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kitwai_lab.bench.task_lists import spark_json, spark_time, task
from kitwai_lab.local.started import Started

WORKERS = 2
LIMIT_S = 600.0
_CORES = 2
_SLOTS = WORKERS * _CORES


@dataclass(frozen=True, slots=True)
class Load:
    """What each master runs: applications that have one stage each, at the same place.

    ``done``: how many tasks of the stage are complete. None: as many as the time allows.
    """

    applications: int = 1
    tasks: int = 400
    task_ms: int = 5000
    done: Callable[[], int] | None = None


class SimulatedMasters(Started):
    """Masters on free ports of 127.0.0.1; each serves its drivers' REST APIs too."""

    def __init__(self, count: int, load: Load | None = None) -> None:
        """:param count: how many masters there are; ``load``: None for one application each."""
        self._servers = [_Server(load or Load()) for _ in range(count)]
        self._threads = [
            threading.Thread(target=server.serve_forever, daemon=True) for server in self._servers
        ]

    @property
    def ports(self) -> list[int]:
        """The masters' web ports."""
        return [server.server_port for server in self._servers]

    @property
    def sent(self) -> int:
        """Bytes that all masters and drivers have answered so far, without headers."""
        return sum(server.sent for server in self._servers)

    def start(self) -> None:
        """Serve from now on."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Serve no more."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, load: Load) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.load = load
        self.sent = 0
        self.started_at = time.time()
        self._task = cache(self._make_task)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing where a client has closed a connection that it kept alive."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def answer(self, path: str) -> tuple[str, bytes]:
        """Content type and body of Spark's answer to ``path``; the body is empty for a 404."""
        if path == "/":
            return "text/html", "".join(self._row(app) for app in self._apps()).encode()
        if path == "/json/":
            return "application/json", spark_json(self._master())
        _, _, below = path.partition("/api/v1/applications/")
        app, _, rest = below.partition("/")
        if app not in self._apps():
            return "application/json", b""
        if rest.startswith("stages/0/0/"):
            return "application/json", self._of_tasks(urlsplit(rest).path, urlsplit(rest).query)
        answers = {
            "": self._application,
            "jobs": self._jobs,
            "stages": self._stages,
            "executors": self._executors,
            "environment": self._environment,
        }
        make = answers.get(rest)
        return "application/json", b"" if make is None else spark_json(make(app))

    def _apps(self) -> list[str]:
        first = 20261124000000
        return [
            f"app-{first + number}-{self.server_port:05}"
            for number in range(self.load.applications)
        ]

    def _row(self, app: str) -> str:
        return (
            f'<tr><td><a href="app/?appId={app}">{app}</a></td>'
            f'<td><a href="http://127.0.0.1:{self.server_port}">sums</a></td></tr>'
        )

    def _elapsed_ms(self) -> int:
        return round((time.time() - self.started_at) * 1000)

    def _master(self) -> dict[str, Any]:
        workers = [
            {
                "id": f"worker-{number}",
                "host": f"10.0.0.{number + 1}",
                "state": "ALIVE",
                "cores": _CORES,
                "coresused": _CORES,
                "memory": 1024,
                "memoryused": 512,
            }
            for number in range(WORKERS)
        ]
        active = [
            {"id": app, "name": "sums", "cores": _SLOTS, "duration": self._elapsed_ms()}
            for app in self._apps()
        ]
        return {"status": "ALIVE", "workers": workers, "activeapps": active}

    def _application(self, app: str) -> dict[str, Any]:
        attempt = {
            "startTime": spark_time(self.started_at),
            "startTimeEpoch": round(self.started_at * 1000),
            "duration": self._elapsed_ms(),
        }
        return {"id": app, "attempts": [attempt]}

    def _jobs(self, app: str) -> list[dict[str, Any]]:
        return [{"jobId": 0, "status": "RUNNING", "stageIds": [0]}]

    def _stages(self, app: str) -> list[dict[str, Any]]:
        done = self._done()
        return [
            {
                "stageId": 0,
                "attemptId": 0,
                "status": "ACTIVE",
                "numTasks": self.load.tasks,
                "numActiveTasks": _SLOTS,
                "numCompleteTasks": done,
                "numFailedTasks": 0,
                "numCompletedIndices": done,
                "executorRunTime": done * self.load.task_ms,
                "executorCpuTime": done * self.load.task_ms * 900_000,
                "inputBytes": 0,
                "shuffleReadBytes": 0,
                "shuffleWriteBytes": 0,
                "firstTaskLaunchedTime": spark_time(self.started_at + 1.0),
            }
        ]

    def _done(self) -> int:
        most = self.load.tasks - _SLOTS
        if self.load.done is not None:
            return min(most, self.load.done())
        return min(most, self._elapsed_ms() * _SLOTS // self.load.task_ms)

    def _of_tasks(self, path: str, query: str) -> bytes:
        """A page of the list of tasks, or the quantiles of their times."""
        done, asked = self._done(), parse_qs(query)
        if path.endswith("/taskList"):
            begin, length = int(asked["offset"][0]), int(asked["length"][0])
            end = min(begin + length, done + _SLOTS)
            listed = (self._task(number, number < done) for number in range(begin, end))
            return b"[ " + b", ".join(listed) + b" ]"
        shares = [float(share) for share in asked["quantiles"][0].split(",")]
        times = [float(self.load.task_ms)] * len(shares)
        told = {"quantiles": shares, "duration": times, "executorRunTime": times}
        return spark_json(told) if done else b""

    def _make_task(self, number: int, ended: bool) -> bytes:
        launched_at = self.started_at + number // _SLOTS * self.load.task_ms / 1000.0
        status = "SUCCESS" if ended else "RUNNING"
        executor = str(number % WORKERS)
        return spark_json(task(number, executor, launched_at, self.load.task_ms, status))

    def _executors(self, app: str) -> list[dict[str, Any]]:
        return [
            {
                "id": str(number),
                "hostPort": f"10.0.0.{number + 1}:40000",
                "isActive": True,
                "totalCores": _CORES,
                "activeTasks": _CORES,
                "memoryUsed": 0,
                "maxMemory": 400_000_000,
                "diskUsed": 0,
                "totalShuffleWrite": 0,
            }
            for number in range(WORKERS)
        ]

    def _environment(self, app: str) -> dict[str, Any]:
        return {"sparkProperties": [["spark.kitwai.timeLimit", f"{LIMIT_S:.0f}s"]]}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for the client's acknowledgement
    server: _Server

    def do_GET(self) -> None:
        """Answer as Spark does."""
        kind, body = self.server.answer(self.path)
        self.server.sent += len(body)
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Requests are not logged: there are thousands."""
