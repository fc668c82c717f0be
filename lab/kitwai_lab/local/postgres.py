"""A real Postgres on this machine, in a folder of its own that goes with it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from kitwai.errors import KitwaiError
from kitwai.pools.processes import free_port
from kitwai_lab.local.started import Started

_OWNER = "kitwai"
# Postgres refuses to be root.
_RUN_AS = "postgres"
_START_S = 150.0
_DEBIAN = Path("/usr/lib/postgresql")


class PostgresError(KitwaiError):
    """This machine has no Postgres, or it does not come up; the message says why."""


class Postgres(Started):
    """A Postgres on a free port of 127.0.0.1, which stopping removes with its data."""

    def __init__(self, connections: int = 200) -> None:
        """:param connections: most connections at once."""
        self._connections = connections
        self._port = free_port()
        self._password = secrets.token_urlsafe(24)
        self._folder: Path | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the data folder, start the server, and return once it answers.

        :raises PostgresError: Postgres is not installed or does not come up.
        """
        programs = _programs()
        # Not below the caller's folder, which the server's user may not be able to enter.
        self._folder = Path(tempfile.mkdtemp(prefix="kitwai-postgres-"))
        data, password = self._folder / "data", self._folder / "password"
        password.touch(0o600)
        password.write_text(self._password, encoding="utf-8")
        if os.geteuid() == 0:
            for path in (self._folder, password):
                shutil.chown(path, _RUN_AS, _RUN_AS)
        try:
            self._run([programs / "initdb", "-D", data, "-U", _OWNER, "-A", "scram-sha-256",
                       f"--pwfile={password}"])  # fmt: skip
            command = [programs / "postgres", "-D", data, "-p", self._port]
            command += ["-h", "127.0.0.1", "-k", "", "-N", self._connections]
            self._server = subprocess.Popen(
                [str(part) for part in command],
                stdout=(self._folder / "log").open("wb"),
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **_as_other(),
            )
            self._await()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server, and remove its data."""
        if self._server is not None:
            with contextlib.suppress(ProcessLookupError):
                self._server.send_signal(signal.SIGINT)  # at once, in order
            self._server.wait(60)
            self._server = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def database(self, name: str) -> str:
        """Make an empty database, and return its SQLAlchemy URL.

        :param name: of letters, digits and underscores.
        """
        import sqlalchemy as sa

        if not name.isidentifier():
            raise PostgresError(f"A database here cannot be called {name!r}.")
        engine = sa.create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self._url(name)

    def _url(self, database: str) -> str:
        address = f"127.0.0.1:{self._port}"
        return f"postgresql+psycopg2://{_OWNER}:{self._password}@{address}/{database}"

    def _run(self, command: list[Any]) -> None:
        done = subprocess.run(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            text=True,
            check=False,
            **_as_other(),
        )
        if done.returncode != 0:
            raise PostgresError(f"{command[0]} failed: {' '.join(done.stdout.split())[-300:]}")

    def _await(self) -> None:
        import sqlalchemy as sa

        engine = sa.create_engine(self._url("postgres"))
        until = time.monotonic() + _START_S
        while True:
            try:
                engine.connect().close()
                break
            except sa.exc.OperationalError as error:
                ended = self._server is None or self._server.poll() is not None
                if ended or time.monotonic() > until:
                    raise PostgresError(f"Postgres does not come up: {self._said()}") from error
                time.sleep(0.2)
        engine.dispose()

    def _said(self) -> str:
        log = (self._folder or Path()) / "log"
        lines = log.read_text(errors="replace").splitlines()
        return lines[-1] if lines else "it has logged nothing"


def _programs() -> Path:
    """The folder of the newest Postgres' programs."""
    versions = [path for path in _DEBIAN.glob("*/bin") if (path / "postgres").exists()]
    if versions:
        return max(versions, key=lambda path: float(path.parent.name))
    if (on_path := shutil.which("postgres")) is not None:
        return Path(on_path).resolve().parent
    raise PostgresError("Postgres is not installed: apt-get install postgresql.")


def _as_other() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    return {"user": _RUN_AS, "group": _RUN_AS, "extra_groups": []}
