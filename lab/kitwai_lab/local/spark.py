"""Spark standalone on this machine: a master, and applications whose drivers run here.

`kitwai_lab.local.cluster` joins a master with the workers of a pool.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil

from kitwai.errors import KitwaiError, PoolError
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
from kitwai_lab.local.started import Started

_MASTER_START_S = 150.0
_LOG_TAIL = 4_000


def event_log_conf(folder: str) -> dict[str, str]:
    """The conf of an application that writes one plain event log.

    :param folder: URL of the folder that gets the event log.
    """
    return {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": folder,
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
    }


class SparkMaster(Started):
    """A Spark standalone master on free ports of one loopback address.

    ``url`` (``spark://...``) is for workers and applications. ``web_url`` (``http://...``) is the
    address of the web UI and of ``/json/``. Both are empty before `start`.
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
        :param directory: where the master's log goes; made if missing.
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
        """The file that holds the master's output."""
        return self.directory / "master.log"

    def connection(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        """The master's cluster as the fields of an Airflow connection.

        :param extra: fields of the connection's extra, besides the address for workers.
        """
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
        """Start the master and return when ``/json/`` answers.

        :raises PoolError: Java or Spark is missing, or the master did not come up.
        """
        check_java()
        home = self.spark_home or find_spark_home()
        self.directory.mkdir(parents=True, exist_ok=True)
        for _ in range(attempts):
            # Another process may take a free port before the master does. Then the master ends,
            # and other ports are tried.
            port, web_port = free_port(self.host), free_port(self.host)
            self.url = f"spark://{self.host}:{port}"
            self.web_url = f"http://{self.host}:{web_port}"
            self._spawn(home, port, web_port)
            if self._answers():
                return
            self.stop()
        raise PoolError(f"The Spark master did not come up on {self.host}; see {self.log}.")

    def stop(self) -> None:
        """End the master; does nothing when it is gone."""
        if self._process is not None:
            stop_trees([self._process])
            self._process = None

    def _spawn(self, home: Path, port: int, web_port: int) -> None:
        environment = spark_environment(home, self.host)
        environment.setdefault("SPARK_DAEMON_JAVA_OPTS", QUICK_JVM)
        environment["SPARK_MASTER_OPTS"] = java_options(
            {
                "spark.decommission.enabled": "true",
                "spark.master.rest.enabled": "false",
                # The master must not move on to the next port by itself, unknown to us.
                "spark.port.maxRetries": "0",
            }
        )
        master = ["org.apache.spark.deploy.master.Master", "--host", self.host]
        options = ["--port", str(port), "--webui-port", str(web_port)]
        if self.secret is not None:
            auth = write_auth(self.directory / "auth.conf", self.secret)
            options += ["--properties-file", str(auth)]
        spark_class = str(home / "bin" / "spark-class")
        child = spawn([spark_class, *master, *options], log=self.log, env=environment)
        self._process = psutil.Process(child.pid)

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


class LocalApplication:
    """A submitted application whose driver is a process of this machine."""

    def __init__(self, driver: subprocess.Popen[bytes], folder: Path) -> None:
        """:param folder: holds ``application.log`` and the folder ``events``."""
        self.driver = driver
        self.events = folder / "events"
        self.log_file = folder / "application.log"

    def poll(self) -> int | None:
        """The driver's exit code, None while the application runs."""
        return self.driver.poll()

    def finish(self, timeout_s: float) -> None:
        """Wait until the application has succeeded, and end it in any case.

        :raises KitwaiError: the application failed, or ran longer than ``timeout_s``.
        """
        try:
            code = self.driver.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise KitwaiError(
                f"An application did not end within {timeout_s:.0f} s; see {self.log_file}."
            ) from error
        finally:
            self.stop()
        if code != 0:
            raise KitwaiError(f"An application failed (exit code {code}); see {self.log_file}.")

    def stop(self) -> None:
        """End the application where it runs."""
        if self.poll() is None:
            stop_trees([psutil.Process(self.driver.pid)])

    def log(self) -> str:
        """The end of what the application printed."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:]

    def event_log_file(self) -> Path:
        """The file of the event log, which exists once the driver has started."""
        # Names with a dot are checksums.
        (file,) = self.events.glob("[!.]*")
        return file

    def event_log(self) -> str:
        """The text of the event log."""
        return self.event_log_file().read_text(encoding="utf-8")


def run_application(
    master_url: str,
    script: Path,
    arguments: Sequence[str],
    folder: Path,
    *,
    conf: Mapping[str, str],
    executor_cores: int = 2,
    properties_file: Path | None = None,
) -> LocalApplication:
    """Submit an application that writes its event log and its output into ``folder``.

    Parameters and errors are those of `submit`; ``folder`` is made if missing.
    """
    events = folder / "events"
    events.mkdir(parents=True, exist_ok=True)
    driver = submit(
        master_url,
        script,
        arguments,
        log=folder / "application.log",
        conf={**event_log_conf(events.as_uri()), **conf},
        executor_cores=executor_cores,
        properties_file=properties_file,
    )
    return LocalApplication(driver, folder)


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

    :param log: the file that gets the driver's output.
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
