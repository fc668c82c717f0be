"""A whole Spark cluster on this machine: a master, the workers of a local pool, and applications.

Demo and benchmarks use this cluster. One folder holds its files: ``master/``, ``pool/``,
``shuffle/``, and ``job-1/``, ``job-2/`` … for the applications.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kitwai.core.records.observation import Observation, Past
from kitwai.observe.look import observe
from kitwai.pools.local.local_pool import LocalWorkerPool
from kitwai.pools.spark_options import write_auth
from kitwai_lab.local.shuffle_service import ShuffleService
from kitwai_lab.local.spark import LocalApplication, SparkMaster, run_application
from kitwai_lab.local.started import Started


class LocalCluster(Started):
    """A Spark master and a pool that has no worker at first.

    ``pool`` exists from `start` on. Stopping ends applications, workers and master.
    """

    pool: LocalWorkerPool

    def __init__(
        self,
        folder: Path,
        *,
        cores: int = 2,
        memory_mb: int = 1024,
        secured: bool = False,
        shuffle_service: bool = False,
    ) -> None:
        """
        :param folder: holds all files; made if missing.
        :param cores: of a worker and of an executor; ``memory_mb``: of both, in MiB.
        :param secured: whether workers and drivers have to know a secret, made up here.
        :param shuffle_service: whether the machine runs Spark's external shuffle service and
            applications use it. Such a cluster is secured as well.
        """
        self.folder = folder
        self.cores = cores
        self.memory_mb = memory_mb
        self._secret = secrets.token_urlsafe() if secured or shuffle_service else None
        self._with_service = shuffle_service
        self.master = SparkMaster(folder / "master", secret=self._secret)
        self._service_conf: dict[str, str] = {}
        self._applications: list[LocalApplication] = []
        self._parts = ExitStack()

    def start(self) -> None:
        """Start the master, and the shuffle service where there is to be one.

        :raises PoolError: Java or Spark is missing, or a part did not come up.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as parts:
            parts.enter_context(self.master)
            workers = self.folder / "pool"
            if self._with_service and self._secret is not None:
                service = ShuffleService(self.folder / "shuffle", self._secret, workers)
                self._service_conf = parts.enter_context(service).conf
            self.pool = LocalWorkerPool(
                self.master.url,
                workers,
                cores=self.cores,
                memory_mb=self.memory_mb,
                secret=self._secret,
            )
            parts.callback(self.pool.stop_all)
            self._parts = parts.pop_all()

    def stop(self) -> None:
        """End applications, workers and master."""
        for application in self._applications:
            application.stop()
        self._parts.close()

    def connection(self, **extra: Any) -> dict[str, Any]:
        """The cluster with its pool as the fields of an Airflow connection.

        :param extra: further fields of the connection's extra.
        """
        return self.master.connection(
            {
                "mode": "auto",
                "pool": "local",
                "pool_directory": str(self.pool.directory),
                "worker_cores": self.cores,
                "worker_memory_mb": self.memory_mb,
                **extra,
            }
        )

    def look(self, name: str, timeout_s: float = 10.0) -> Observation:
        """What the cluster shows now, observed under ``name``."""
        return observe(name, self.master.web_url, self.pool, Past(), timeout_s=timeout_s)

    def submit(
        self,
        script: Path,
        arguments: Sequence[str] = (),
        conf: Mapping[str, str] | None = None,
        *,
        folder: Path | None = None,
    ) -> LocalApplication:
        """Run the Python application ``script``, with executors as large as a worker.

        :param conf: Spark properties, in addition to those that the cluster needs.
        :param folder: gets the application's output and event log; by default ``job-N``.
        """
        auth = None
        if self._secret is not None:
            # A file, because the system shows command lines to everybody.
            auth = write_auth(self.folder / "auth.conf", self._secret)
        application = run_application(
            self.master.url,
            script,
            arguments,
            folder or self.folder / f"job-{len(self._applications) + 1}",
            conf={
                "spark.executor.memory": f"{self.memory_mb}m",
                **self._service_conf,
                **(conf or {}),
            },
            executor_cores=self.cores,
            properties_file=auth,
        )
        self._applications.append(application)
        return application
