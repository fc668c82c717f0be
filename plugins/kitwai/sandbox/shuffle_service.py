"""Spark's external shuffle service, of which a machine needs one for all its workers.

It serves the shuffle files that executors leave on the machine's disk, also when these are gone.
Executors ask for map outputs where the first task of a stage heard that they are; without the
service nobody answers there once a worker has left (SPARK-44635).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from kitwai.errors import PoolError
from kitwai.sandbox.processes import free_port, is_alive, spawn, stop_trees
from kitwai.sandbox.spark import (
    QUICK_JVM,
    SHUFFLE_SERVICE,
    check_java,
    find_spark_home,
    java_options,
    spark_environment,
    write_auth,
)

_CLASS = "org.apache.spark.deploy.ExternalShuffleService"
_START_S = 60.0


class ShuffleService:
    """One on a free port, logging to ``directory``; a context manager that ends it.

    ``conf`` is what an application sets so that its executors use it. Spark binds it to every
    address of the machine: with a ``secret``, only members of the cluster are answered.
    """

    def __init__(
        self, directory: Path, *, spark_home: Path | None = None, secret: str | None = None
    ) -> None:
        """
        :param directory: where its log goes; made if missing.
        :param spark_home: the Spark to run; `find_spark_home` by default.
        :param secret: Spark's ``spark.authenticate.secret``.
        """
        self.directory = directory
        self.spark_home = spark_home
        self.secret = secret
        self.conf: Mapping[str, str] = {}
        self._process: psutil.Process | None = None

    def start(self) -> None:
        """Start it and return when it listens.

        :raises PoolError: Java or Spark is missing, or it did not come up.
        """
        check_java()
        home = self.spark_home or find_spark_home()
        self.directory.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.conf = {
            **SHUFFLE_SERVICE,
            "spark.shuffle.service.port": str(port),
        }
        environment = spark_environment(home, "127.0.0.1")
        environment.setdefault("SPARK_DAEMON_JAVA_OPTS", QUICK_JVM)
        # It remembers executors over a restart only where it has a folder to do so.
        environment["SPARK_SHUFFLE_OPTS"] = java_options(
            self.conf | {"spark.shuffle.service.db.enabled": "false"}
        )
        command: list[str | Path] = [home / "bin" / "spark-class", _CLASS]
        if self.secret is not None:
            auth = write_auth(self.directory / "auth.conf", self.secret)
            environment["SPARK_CONF_DIR"] = str(_conf_folder(self.directory, auth))
        log = self.directory / "shuffle-service.log"
        self._process = psutil.Process(spawn(command, log=log, env=environment).pid)
        until = time.monotonic() + _START_S
        while not _listens(port):
            if time.monotonic() > until or not is_alive(self._process):
                self.stop()
                raise PoolError(f"Spark's shuffle service did not come up; see {log}.")
            time.sleep(0.1)

    def stop(self) -> None:
        """End it; does nothing when it is gone."""
        if self._process is not None:
            stop_trees([self._process])
            self._process = None

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


def _conf_folder(directory: Path, auth: Path) -> Path:
    """A folder for SPARK_CONF_DIR: the service takes no ``--properties-file``."""
    folder = directory / "conf"
    folder.mkdir(exist_ok=True)
    auth.replace(folder / "spark-defaults.conf")
    return folder


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
