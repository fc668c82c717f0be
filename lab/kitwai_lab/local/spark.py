"""Spark standalone on this machine: a master and applications.

Workers are the pool's (`kitwai.pools.local.local_pool`).
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil

from kitwai.errors import PoolError
from kitwai.pools.processes import free_port, is_alive, spawn, stop_trees
from kitwai.pools.spark_options import (
    APPLICATION,
    QUICK_JVM,
    check_java,
    find_spark_home,
    java_options,
    spark_environment,
    write_auth,
)

_MASTER_START_S = 60.0


def event_log_conf(folder: str) -> dict[str, str]:
    """The conf of an application that writes one plain event log into ``folder``, a URL."""
    return {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": folder,
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
    }


class SparkMaster:
    """A Spark standalone master on free ports of one loopback address, logging to ``directory``.

    ``url`` is what workers and applications connect to (``spark://...``), ``web_url`` the address
    of the web UI and of ``/json/`` (``http://...``). As a context manager it starts and stops it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        host: str = "127.0.0.1",
        spark_home: Path | None = None,
        secret: str | None = None,
    ) -> None:
        """
        :param directory: where its log goes; made if missing.
        :param spark_home: the Spark to run; `find_spark_home` by default.
        :param secret: that workers and drivers have to know; None for none.
        """
        self.directory = directory
        self.host = host
        self.spark_home = spark_home
        self.secret = secret
        self.url = ""
        self.web_url = ""
        self._process: psutil.Process | None = None

    @property
    def log(self) -> Path:
        """The file that holds its output."""
        return self.directory / "master.log"

    def connection(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        """Its cluster as an Airflow connection, with ``extra`` besides its address for workers."""
        address = urlsplit(self.web_url)
        secret = {} if self.secret is None else {"password": self.secret}
        return {
            "conn_type": "spark_cluster",
            "host": address.hostname,
            "port": address.port,
            # Beside other work a driver that begins may take seconds to answer.
            "extra": {"master": self.url, "timeout": "8s", **extra},
            **secret,
        }

    def start(self, attempts: int = 3) -> None:
        """Start it and return when ``/json/`` answers.

        :raises PoolError: Java or Spark is missing, or it did not come up.
        """
        check_java()
        home = self.spark_home or find_spark_home()
        self.directory.mkdir(parents=True, exist_ok=True)
        for _ in range(attempts):
            # Somebody may take a free port before the master does: then it ends, and others are
            # tried. It must not move on to the next port by itself, unknown to us.
            port, web_port = free_port(self.host), free_port(self.host)
            self.url = f"spark://{self.host}:{port}"
            self.web_url = f"http://{self.host}:{web_port}"
            environment = spark_environment(home, self.host)
            environment.setdefault("SPARK_DAEMON_JAVA_OPTS", QUICK_JVM)
            environment["SPARK_MASTER_OPTS"] = java_options(
                {
                    "spark.decommission.enabled": "true",
                    "spark.master.rest.enabled": "false",
                    "spark.port.maxRetries": "0",
                }
            )
            master = ["org.apache.spark.deploy.master.Master", "--host", self.host]
            ports = ["--port", str(port), "--webui-port", str(web_port)]
            if self.secret is not None:
                auth = write_auth(self.directory / "auth.conf", self.secret)
                ports += ["--properties-file", str(auth)]
            child = spawn(
                [home / "bin" / "spark-class", *master, *ports], log=self.log, env=environment
            )
            self._process = psutil.Process(child.pid)
            if self._answers():
                return
            self.stop()
        raise PoolError(f"The Spark master did not come up on {self.host}; see {self.log}.")

    def stop(self) -> None:
        """End it; does nothing when it is gone."""
        if self._process is not None:
            stop_trees([self._process])
            self._process = None

    def __enter__(self) -> SparkMaster:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        deadline = time.monotonic() + _MASTER_START_S
        while time.monotonic() < deadline and self._process and is_alive(self._process):
            try:
                answer = httpx.get(f"{self.web_url}/json/", timeout=5.0, trust_env=False)
                if answer.json().get("url") == self.url:
                    return True
            except (httpx.HTTPError, ValueError):
                pass
            time.sleep(0.2)
        return False


def submit(
    master_url: str,
    script: Path,
    arguments: Sequence[str] = (),
    *,
    log: Path,
    conf: Mapping[str, str] | None = None,
    executor_cores: int = 2,
    spark_home: Path | None = None,
    properties_file: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Run the Python application ``script`` on ``master_url`` by spark-submit (client mode).

    :param conf: Spark properties, added to those that let workers come and go.
    :param executor_cores: set explicitly, or one executor would take a whole worker (SPARK-30299).
    :param properties_file: further properties, such as a secret, which no command line may hold.
    :raises PoolError: Java or Spark is missing.
    """
    check_java()
    home = spark_home or find_spark_home()
    properties = {
        **APPLICATION,
        "spark.executor.cores": str(executor_cores),
        "spark.driver.host": "127.0.0.1",
        "spark.ui.port": "0",
        **(conf or {}),
    }
    options = [part for name, value in properties.items() for part in ("--conf", f"{name}={value}")]
    environment = spark_environment(home, "127.0.0.1")
    environment["PYSPARK_PYTHON"] = sys.executable
    if properties_file is not None:
        options += ["--properties-file", str(properties_file)]
    return spawn(
        [home / "bin" / "spark-submit", "--master", master_url, *options, script, *arguments],
        log=log,
        env=environment,
    )
