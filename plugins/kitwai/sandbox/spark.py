"""Spark standalone on this machine: where it is installed, a master, applications.

Workers are the pool's (`kitwai.pools.local`).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
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
from kitwai.sandbox.processes import free_port, is_alive, spawn, stop_trees

DECOMMISSION: Mapping[str, str] = {
    "spark.decommission.enabled": "true",
    "spark.storage.decommission.enabled": "true",
    "spark.storage.decommission.shuffleBlocks.enabled": "true",
    "spark.storage.decommission.rddBlocks.enabled": "true",
}
"""What a worker *and* an application need so that a leaving worker hands its blocks on."""

MASTER_DECOMMISSIONS: Mapping[str, str] = {
    "spark.decommission.enabled": "true",
    "spark.master.ui.decommission.allow.mode": "ALLOW",
}
"""What a master needs so that it decommissions workers for others (`kitwai.pools.decommission`)."""

QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Options of a JVM that is to start quickly on few cores: they halve the CPU time of a worker's
start (2.8 s instead of 5.2 s), which is what five starting at once on two cores wait for."""

APPLICATION: Mapping[str, str] = {
    **DECOMMISSION,
    # At the default of 30 s a leaving executor looks only every 30 s whether all is handed on.
    "spark.storage.decommission.replicationReattemptInterval": "2s",
    "spark.executor.extraJavaOptions": QUICK_JVM,
}
"""What an application on a cluster of this package sets."""

SHUFFLE_SERVICE: Mapping[str, str] = {"spark.shuffle.service.enabled": "true"}
"""What an application sets, and the worker where it is to serve the files itself, so that executors
leave their shuffle files to Spark's external shuffle service."""

_MASTER_START_S = 60.0


def event_log_conf(folder: str) -> dict[str, str]:
    """The conf of an application that writes one plain event log into ``folder``, a URL."""
    return {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": folder,
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
    }


def find_spark_home() -> Path:
    """The installed Spark: ``SPARK_HOME``, else the one inside the pyspark package.

    :raises PoolError: there is none.
    """
    home = os.environ.get("SPARK_HOME")
    if home:
        if not (Path(home) / "bin" / "spark-class").is_file():
            raise PoolError(
                f"SPARK_HOME is {home}, but there is no bin/spark-class in it; "
                "set it to the folder of a Spark distribution."
            )
        return Path(home)
    package = importlib.util.find_spec("pyspark")
    for folder in (package and package.submodule_search_locations) or ():
        if (Path(folder) / "bin" / "spark-class").is_file():
            return Path(folder)
    raise PoolError("Spark was not found: set SPARK_HOME or install pyspark.")


def check_java() -> Path:
    """The java that Spark will use: that of ``JAVA_HOME``, else the first on the ``PATH``.

    :raises PoolError: there is none.
    """
    home = os.environ.get("JAVA_HOME")
    if home:
        java = Path(home) / "bin" / "java"
        if not java.is_file():
            raise PoolError(
                f"JAVA_HOME is {home}, but there is no bin/java in it; "
                "set it to the folder of a Java 17 or later."
            )
        return java
    found = shutil.which("java")
    if found is None:
        raise PoolError(
            "Java was not found, and Spark needs it: install Java 17 or later and put it on the "
            "PATH, or set JAVA_HOME."
        )
    return Path(found)


def java_options(properties: Mapping[str, str]) -> str:
    """Spark ``properties`` as the options of a Spark daemon (``SPARK_*_OPTS``)."""
    return " ".join(f"-D{name}={value}" for name, value in properties.items())


def auth_properties(secret: str) -> str:
    """The properties file by which master, workers and drivers know one another.

    A file, because command lines and environments are shown by ``ps`` and ``docker inspect``.
    """
    escaped = secret.replace("\\", "\\\\")
    return f"spark.authenticate true\nspark.authenticate.secret {escaped}\n"


def write_auth(file: Path, secret: str) -> Path:
    """Write `auth_properties` to ``file``, which only its owner may read; returns it."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as opened:  # noqa: PTH123 - a descriptor
        os.fchmod(descriptor, 0o600)
        opened.write(auth_properties(secret))
    return file


def spark_environment(spark_home: Path, local_ip: str) -> dict[str, str]:
    """The environment of a Spark process bound to ``local_ip``.

    Airflow's own settings hold secrets, and executors run other people's code: they stay behind.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.lstrip("_").startswith("AIRFLOW")
    }
    # Set in some shells; it would make every Python worker compile the library anew.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["SPARK_HOME"] = str(spark_home)
    environment["SPARK_LOCAL_IP"] = local_ip
    return environment


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
