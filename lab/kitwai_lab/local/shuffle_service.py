"""Spark's external shuffle service. A machine needs one for all its workers.

The service serves the shuffle files that executors leave on the machine's disk, also when the
executors are gone. Executors ask for map outputs at the place that the first task of a stage was
told. Without the service nobody answers there once a worker has left (SPARK-44635).
"""

from __future__ import annotations

import socket
import time
from pathlib import Path

import psutil

from kitwai.errors import PoolError
from kitwai.pools.processes import free_port, is_alive, spawn, stop_trees
from kitwai.pools.spark_options import (
    QUICK_JVM,
    SHUFFLE_SERVICE,
    check_java,
    find_spark_home,
    java_options,
    spark_environment,
    write_auth,
)
from kitwai_lab.local.started import Started

_CLASS = "org.apache.spark.deploy.ExternalShuffleService"
_START_S = 150.0


class ShuffleService(Started):
    """The service on a free port.

    ``conf`` holds the Spark properties that an application sets so that its executors use it.
    """

    def __init__(self, folder: Path, secret: str, served: Path) -> None:
        """
        :param folder: holds the service's files; made if missing.
        :param secret: Spark's ``spark.authenticate.secret``. Spark binds the service to every
            address of the machine, and only members of the cluster are to be answered.
        :param served: the folder below which the machine's executors keep their files. Spark 4.3
            refuses an executor that keeps them elsewhere.
        """
        self._port = free_port()
        self.conf = {**SHUFFLE_SERVICE, "spark.shuffle.service.port": str(self._port)}
        self._folder = folder
        self._secret = secret
        self._served = served
        self._process: psutil.Process | None = None

    def start(self) -> None:
        """Start the service and return when it listens.

        :raises PoolError: Java or Spark is missing, or the service did not come up.
        """
        check_java()
        home = find_spark_home()
        self._folder.mkdir(parents=True, exist_ok=True)
        environment = spark_environment(home, "127.0.0.1")
        environment.setdefault("SPARK_DAEMON_JAVA_OPTS", QUICK_JVM)
        environment.setdefault("SPARK_LOCAL_DIRS", str(self._served))
        # The service remembers executors over a restart only where it has a folder to do so.
        environment["SPARK_SHUFFLE_OPTS"] = java_options(
            self.conf | {"spark.shuffle.service.db.enabled": "false"}
        )
        # The service takes no ``--properties-file``.
        write_auth(self._folder / "spark-defaults.conf", self._secret)
        environment["SPARK_CONF_DIR"] = str(self._folder)
        log = self._folder / "shuffle-service.log"
        child = spawn([home / "bin" / "spark-class", _CLASS], log=log, env=environment)
        self._process = psutil.Process(child.pid)
        try:
            self._await(log)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the service; does nothing when it is gone."""
        if self._process is not None:
            stop_trees([self._process])
            self._process = None

    def _await(self, log: Path) -> None:
        until = time.monotonic() + _START_S
        while not _listens(self._port):
            ended = self._process is None or not is_alive(self._process)
            if ended or time.monotonic() > until:
                raise PoolError(f"Spark's shuffle service did not come up; see {log}.")
            time.sleep(0.1)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
