"""Spark's external shuffle service, of which a machine needs one for all its workers.

It serves the shuffle files that executors leave on the machine's disk, also when these are gone.
Executors ask for map outputs where the first task of a stage heard that they are; without the
service nobody answers there once a worker has left (SPARK-44635).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
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

_CLASS = "org.apache.spark.deploy.ExternalShuffleService"
_START_S = 60.0


@contextmanager
def running_shuffle_service(folder: Path, secret: str, served: Path) -> Iterator[dict[str, str]]:
    """One on a free port, with its files in ``folder``; it ends on leaving. Gives what an
    application sets so that its executors use it.

    :param served: the folder below which the machine's executors keep their files. By Spark 4.3
        one that keeps them elsewhere is refused, and ends.
    :param secret: Spark's ``spark.authenticate.secret``: Spark binds the service to every address
        of the machine, and only members of the cluster are to be answered.
    :raises PoolError: Java or Spark is missing, or it did not come up.
    """
    check_java()
    home = find_spark_home()
    folder.mkdir(parents=True, exist_ok=True)
    conf = {**SHUFFLE_SERVICE, "spark.shuffle.service.port": str(free_port())}
    environment = spark_environment(home, "127.0.0.1")
    environment.setdefault("SPARK_DAEMON_JAVA_OPTS", QUICK_JVM)
    environment.setdefault("SPARK_LOCAL_DIRS", str(served))
    # It remembers executors over a restart only where it has a folder to do so.
    environment["SPARK_SHUFFLE_OPTS"] = java_options(
        conf | {"spark.shuffle.service.db.enabled": "false"}
    )
    # It takes no ``--properties-file``.
    write_auth(folder / "spark-defaults.conf", secret)
    environment["SPARK_CONF_DIR"] = str(folder)
    log = folder / "shuffle-service.log"
    process = psutil.Process(
        spawn([home / "bin" / "spark-class", _CLASS], log=log, env=environment).pid
    )
    try:
        until = time.monotonic() + _START_S
        while not _listens(int(conf["spark.shuffle.service.port"])):
            if time.monotonic() > until or not is_alive(process):
                raise PoolError(f"Spark's shuffle service did not come up; see {log}.")
            time.sleep(0.1)
        yield conf
    finally:
        stop_trees([process])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
