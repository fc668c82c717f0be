"""A real Airflow on this machine: `airflow standalone`, started, asked and ended.

All files lie in one folder: SQLite database, logs, generated login and keys. All processes are in
one session, so that ending the session ends them all. Ending only the parent would leave the API
server, the scheduler and running tasks behind.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import socket
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from kitwai.errors import KitwaiError
from kitwai.pools.processes import is_alive, spawn, stop_trees
from kitwai_lab.local.started import Started

_START_TIMEOUT_S = 300.0
_POLL_S = 0.25
_TERM_S = 5.0
_LOGIN = "simple_auth_manager_passwords.json.generated"
_USER = "admin"

_T = TypeVar("_T")


class AirflowError(KitwaiError):
    """Airflow did not start, did not answer, or cannot import a DAG."""


class AirflowStandalone(Started):
    """An Airflow with a LocalExecutor on free ports of 127.0.0.1, on SQLite unless ``env`` differs.

    ``url`` and ``password`` (of the user "admin") let a person in. ``api`` is an HTTP client that
    is logged in, for paths such as ``/api/v2/dags``. ``environment`` holds the variables of
    Airflow's processes, for commands that are to meet the same Airflow.
    """

    def __init__(
        self,
        home: Path,
        dags_folder: Path,
        plugins_folder: Path | None = None,
        connections: Mapping[str, Mapping[str, Any]] | None = None,
        env: Mapping[str, str] | None = None,
        *,
        dag_ids: Collection[str] = (),
    ) -> None:
        """
        :param home: AIRFLOW_HOME; made when missing.
        :param connections: connection id -> its fields (``conn_type``, ``host``, ``extra`` ...).
        :param plugins_folder: by default the folder ``plugins`` in ``home``.
        :param env: further environment variables; they win over Airflow's own.
        :param dag_ids: DAGs that must be parsed before the start counts as done.
        """
        self.home = home.resolve()
        self.api = httpx.Client(timeout=60.0)
        self.session: int | None = None
        self.environment: dict[str, str] = {}
        self._standalone: subprocess.Popen[bytes] | None = None
        self._more_sessions: list[int] = []
        self._dag_ids = tuple(dag_ids)
        self._dags_folder = dags_folder.resolve()
        self._plugins_folder = (plugins_folder or self.home / "plugins").resolve()
        self._connections = dict(connections or {})
        self._env = dict(env or {})

    @property
    def url(self) -> str:
        """Address of the UI and the API."""
        return str(self.api.base_url).rstrip("/")

    @property
    def running(self) -> bool:
        """Whether the main process lives."""
        return self._standalone is not None and self._standalone.poll() is None

    @property
    def log(self) -> Path:
        """The file that holds what all components print."""
        return self.home / "standalone.log"

    @property
    def password(self) -> str:
        """The generated password of the user "admin"."""
        return str(json.loads((self.home / _LOGIN).read_text())[_USER])

    def start(self) -> None:
        """Start, and return once the API answers and the wanted DAGs are parsed.

        :raises AirflowError: Airflow ended, was not ready in time, or cannot import a DAG; nothing
            is left running then.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        port = _port()
        self.environment = self._environment(port)
        self.api.base_url = httpx.URL(f"http://127.0.0.1:{port}")
        try:
            self._standalone = spawn(
                [sys.executable, "-m", "airflow", "standalone"],
                log=self.log,
                env=self.environment,
                cwd=self.home,
            )
            self.session = self._standalone.pid
            self._wait("its API answers", self._logged_in, _START_TIMEOUT_S)
            self._wait("its scheduler is healthy", self._healthy, _START_TIMEOUT_S)
            self.wait_for_dags(self._dag_ids)
        except BaseException:
            self.stop()
            raise

    def add_scheduler(self) -> psutil.Process:
        """Start one more scheduler. The database must be able to lock rows, as Postgres is."""
        scheduler = spawn(
            [sys.executable, "-m", "airflow", "scheduler"],
            log=self.home / f"scheduler-{len(self._more_sessions) + 2}.log",
            env=self.environment | {"AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(_port())},
            cwd=self.home,
        )
        self._more_sessions.append(scheduler.pid)
        return psutil.Process(scheduler.pid)

    def stop(self) -> None:
        """End every process of Airflow; does nothing the second time."""
        self.api.close()
        sessions = [*self._more_sessions, *([] if self.session is None else [self.session])]
        for session in sessions:
            # Processes may start others while they end.
            while members := session_members(session):
                stop_trees(members, _TERM_S)
        self.session = None
        self._more_sessions.clear()

    def wait_for_dags(self, dag_ids: Collection[str], timeout_s: float = _START_TIMEOUT_S) -> None:
        """Return once all of ``dag_ids`` are parsed.

        :raises AirflowError: a DAG file cannot be imported (Airflow says why), or time is up.
        """

        def parsed() -> bool | None:
            errors = self._get("/api/v2/importErrors")["import_errors"]
            if errors:
                texts = "\n".join(f"{file['filename']}: {file['stack_trace']}" for file in errors)
                raise AirflowError(f"Airflow cannot import a DAG file. {texts}")
            known = {dag["dag_id"] for dag in self._get("/api/v2/dags", limit=100)["dags"]}
            return True if known.issuperset(dag_ids) else None

        self._wait(f"it has parsed {', '.join(dag_ids)}", parsed, timeout_s)

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run the DAG."""
        self._paused(dag_id, False)

    def pause(self, dag_id: str) -> None:
        """Let the scheduler start no more runs of the DAG."""
        self._paused(dag_id, True)

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run now with ``conf`` as the run's params; returns the run's id."""
        answer = self.api.post(
            f"/api/v2/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": dict(conf or {})}
        )
        return str(_checked(answer)["dag_run_id"])

    def backfill(
        self, dag_id: str, first: date, last: date, *, again: bool = False, at_once: int = 1
    ) -> list[dict[str, Any]]:
        """Run a daily DAG for the days ``first`` to ``last``, as ``airflow backfill create`` does.

        :param again: whether days that have run before run once more.
        :param at_once: most runs side by side.
        :returns: the runs, in the order of their days; they need not have ended.
        """
        order = {
            "dag_id": dag_id,
            "from_date": f"{first}T00:00:00Z",
            "to_date": f"{last}T00:00:00Z",
            "max_active_runs": at_once,
            "reprocess_behavior": "completed" if again else "none",
            "run_backwards": False,
        }

        def created() -> bool | None:
            answer = self.api.post("/api/v2/backfills", json=order)
            # SQLite is busy with something else, or an ended backfill is not marked so yet.
            return None if answer.status_code in (409, 503) else bool(_checked(answer))

        # SQLite locks no rows: a scheduler that works on runs while others are made may end.
        self.pause(dag_id)
        self._wait(f"it has created a backfill of {dag_id}", created, _START_TIMEOUT_S)
        self.unpause(dag_id)
        days = {str(first + timedelta(days=at)) for at in range((last - first).days + 1)}
        runs = [run for run in self.runs(dag_id) if str(run["logical_date"])[:10] in days]
        return sorted(runs, key=lambda run: str(run["logical_date"]))

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The latest runs of a DAG, newest first, as the API gives them."""
        path = f"/api/v2/dags/{dag_id}/dagRuns"
        return list(self._get(path, order_by="-run_after", limit=100)["dag_runs"])

    def wait_for_run(self, dag_id: str, run_id: str, timeout_s: float = 300.0) -> dict[str, Any]:
        """The run as the API gives it, once its ``state`` is success or failed.

        :raises AirflowError: the run was still under way when the time was up.
        """

        def ended() -> dict[str, Any] | None:
            run = self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")
            return run if run["state"] in ("success", "failed") else None

        return self._wait(f"run {run_id} of {dag_id} has ended", ended, timeout_s)

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of one run, as the API gives them."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        return list(self._get(path)["task_instances"])

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str, *, map_index: int = -1) -> Any:
        """A value that a task has left for other tasks; None where there is none."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        answer = self.api.get(path, params={"map_index": map_index})
        return None if answer.status_code == 404 else _checked(answer)["value"]

    def task_log(
        self, dag_id: str, run_id: str, task_id: str, *, try_number: int = 1, map_index: int = -1
    ) -> str:
        """The log of one try of a task, one event a line."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        content = self._get(path, map_index=map_index, full_content=True)["content"]
        return "\n".join(
            line if isinstance(line, str) else str(line.get("event", "")) for line in content
        )

    def _environment(self, port: int) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            # An Airflow or a virtual environment of the caller must not leak into this one, and
            # without byte code every task would compile Airflow anew.
            if not name.startswith(("AIRFLOW", "_AIRFLOW")) and name != "PYTHONDONTWRITEBYTECODE"
        }
        settings = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self._dags_folder),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self._plugins_folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{_USER}:admin",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(_port()),
            # `airflow standalone` calls its parts by the name `airflow`.
            "PATH": os.pathsep.join(
                [str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)]
            ),
        }
        connections = {
            f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields)
            for name, fields in self._connections.items()
        }
        return inherited | settings | connections | self._env

    def _logged_in(self) -> bool | None:
        try:
            answer = self.api.post(
                "/auth/token", json={"username": _USER, "password": self.password}
            )
        except (httpx.TransportError, OSError, ValueError):
            # Airflow is not there yet, or the file of the password is being written.
            return None
        if not answer.is_success:
            return None
        self.api.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return True

    def _healthy(self) -> bool | None:
        health = self._get("/api/v2/monitor/health")
        parts = (health["scheduler"], health["dag_processor"])
        return True if all(part["status"] == "healthy" for part in parts) else None

    def _paused(self, dag_id: str, paused: bool) -> None:
        _checked(self.api.patch(f"/api/v2/dags/{dag_id}", json={"is_paused": paused}))

    def _get(self, path: str, **params: str | int | bool) -> dict[str, Any]:
        return _checked(self.api.get(path, params=params))

    def _wait(self, what: str, ready: Callable[[], _T | None], timeout_s: float) -> _T:
        """Poll ``ready`` until it gives something, Airflow ends, or the time is up."""
        until = time.monotonic() + timeout_s
        while True:
            if not self.running:
                raise AirflowError(f"Airflow ended before {what}; its log is {self.log}.")
            result = ready()
            if result is not None:
                return result
            if time.monotonic() > until:
                raise AirflowError(f"Airflow took over {timeout_s:.0f} s until {what}: {self.log}.")
            time.sleep(_POLL_S)


def session_members(session: int) -> list[psutil.Process]:
    """The living processes of a session; those that only wait to be reaped are left out."""
    members = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getsid(process.pid) == session and is_alive(process):
                members.append(process)
    return members


def _port() -> int:
    """A free port of 127.0.0.1 below those that the system gives to outgoing connections.

    Airflow binds it only seconds later, and nobody else may have got it by then.
    """
    while True:
        port = random.randint(15000, 32000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _checked(answer: httpx.Response) -> dict[str, Any]:
    if not answer.is_success:
        request = answer.request
        raise AirflowError(
            f"Airflow answered {answer.status_code} to {request.method} {request.url.path}: "
            f"{answer.text[:500]}"
        )
    return dict(answer.json())
