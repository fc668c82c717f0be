"""Many simulated Spark masters that answer over HTTP as Spark does, each with one application.

They stand for clusters that are elsewhere. A step asks them over real sockets, and their answers
are as long as real answers.
"""

from __future__ import annotations

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kitwai_lab.bench.task_lists import quantiles, spark_json, spark_time, task
from kitwai_lab.local.started import Started

WORKERS = 2
LIMIT_S = 600.0
_CORES = 2
_SLOTS = WORKERS * _CORES
_TASKS = 400
_TASK_MS = 5000


class SimulatedMasters(Started):
    """Masters on free ports of 127.0.0.1; each serves its driver's REST API too."""

    def __init__(self, count: int) -> None:
        """:param count: how many masters there are."""
        self._servers = [_Server(("127.0.0.1", 0), _Handler) for _ in range(count)]
        self._threads = [
            threading.Thread(target=server.serve_forever, daemon=True) for server in self._servers
        ]

    @property
    def ports(self) -> list[int]:
        """The masters' web ports."""
        return [server.server_port for server in self._servers]

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

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.started_at = time.time()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing where a client has closed a connection that it kept alive."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def answer(self, path: str) -> tuple[str, bytes]:
        """Content type and body of Spark's answer to ``path``; the body is empty for a 404."""
        app = f"app-20261124000000-{self.server_port:05}"
        if path == "/":
            page = (
                f'<tr><td><a href="app/?appId={app}">{app}</a></td>'
                f'<td><a href="http://127.0.0.1:{self.server_port}">sums</a></td></tr>'
            )
            return "text/html", page.encode()
        if path.startswith(f"/api/v1/applications/{app}/stages/0/0/"):
            return "application/json", self._of_tasks(urlsplit(path).path, urlsplit(path).query)
        answers = {
            "/json/": self._master,
            f"/api/v1/applications/{app}": self._application,
            f"/api/v1/applications/{app}/jobs": self._jobs,
            f"/api/v1/applications/{app}/stages": self._stages,
            f"/api/v1/applications/{app}/executors": self._executors,
            f"/api/v1/applications/{app}/environment": self._environment,
        }
        make = answers.get(path)
        return "application/json", b"" if make is None else spark_json(make(app))

    def _elapsed_ms(self) -> int:
        return round((time.time() - self.started_at) * 1000)

    def _master(self, app: str) -> dict[str, Any]:
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
        active = {
            "id": app,
            "name": "sums",
            "cores": _SLOTS,
            "duration": self._elapsed_ms(),
        }
        return {"status": "ALIVE", "workers": workers, "activeapps": [active]}

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
                "numTasks": _TASKS,
                "numActiveTasks": _SLOTS,
                "numCompleteTasks": done,
                "numFailedTasks": 0,
                "numCompletedIndices": done,
                "executorRunTime": done * _TASK_MS,
                "executorCpuTime": done * _TASK_MS * 900_000,
                "inputBytes": 0,
                "shuffleReadBytes": 0,
                "shuffleWriteBytes": 0,
                "firstTaskLaunchedTime": spark_time(self.started_at + 1.0),
            }
        ]

    def _done(self) -> int:
        return min(_TASKS - _SLOTS, self._elapsed_ms() * _SLOTS // _TASK_MS)

    def _of_tasks(self, path: str, query: str) -> bytes:
        """A page of the list of tasks, or the quantiles of their times."""
        done, asked = self._done(), parse_qs(query)

        def made(number: int) -> dict[str, Any]:
            launched_at = self.started_at + number // _SLOTS * _TASK_MS / 1000.0
            status = "SUCCESS" if number < done else "RUNNING"
            return task(number, str(number % WORKERS), launched_at, _TASK_MS, status)

        if path.endswith("/taskList"):
            begin, length = int(asked["offset"][0]), int(asked["length"][0])
            end = min(begin + length, done + _SLOTS)
            return spark_json([made(number) for number in range(begin, end)])
        shares = [float(share) for share in asked["quantiles"][0].split(",")]
        told = quantiles(shares, [made(number) for number in range(done)])
        return b"" if told is None else spark_json(told)

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
    server: _Server

    def do_GET(self) -> None:
        """Answer as Spark does."""
        kind, body = self.server.answer(self.path)
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Requests are not logged: there are thousands."""
