"""A Spark cluster with a pool of each kind, where `kitwai bench pool` measures."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import psutil

from kitwai.config.connection import ContainerConfig, container_memory_mb
from kitwai.core.records.observation import Observation, Past, PoolWorker
from kitwai.errors import KitwaiError
from kitwai.observe.look import observe
from kitwai.pools.base import WorkerPool
from kitwai.pools.local.local_pool import LocalWorkerPool
from kitwai.pools.processes import stop_trees
from kitwai.pools.spark_options import SHUFFLE_SERVICE, write_auth
from kitwai_lab.local.shuffle_service import running_shuffle_service
from kitwai_lab.local.spark import SparkMaster, event_log_conf, submit

CORES = 2
MEMORY_MB = 512
_NAME = "kitwai-bench"
_OBSERVE_S = 10.0


class Job(Protocol):
    """An application that was submitted."""

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        ...

    def event_log(self) -> str:
        """Its event log, once it has ended."""
        ...

    def log(self) -> str:
        """The end of what it printed."""
        ...


@dataclass(frozen=True, slots=True)
class PoolCluster:
    """A master and a pool. ``kill`` ends a worker outright, behind the pool's back."""

    pool: WorkerPool
    look: Callable[[], Observation]
    submit: Callable[[Path, Sequence[str], dict[str, str]], Job]
    kill: Callable[[PoolWorker], None]


class _LocalJob:
    def __init__(self, child: subprocess.Popen[bytes], folder: Path) -> None:
        self.child = child
        self.folder = folder

    def poll(self) -> int | None:
        return self.child.poll()

    def event_log(self) -> str:
        (log,) = (self.folder / "events").glob("[!.]*")
        return log.read_text(encoding="utf-8")

    def log(self) -> str:
        return (self.folder / "application.log").read_text(errors="replace")[-4000:]


@contextmanager
def local_cluster(folder: Path, *, shuffle_service: bool = False) -> Iterator[PoolCluster]:
    """Processes of this machine, with all files in ``folder``; they end on leaving.

    :param shuffle_service: the machine runs Spark's external shuffle service, and jobs use it.
    """
    jobs: list[_LocalJob] = []
    workers = folder / "pool"
    secret = secrets.token_urlsafe()
    auth = write_auth(folder / "auth.conf", secret)

    def run(script: Path, arguments: Sequence[str], conf: dict[str, str]) -> Job:
        its = folder / f"job-{len(jobs) + 1}"
        (its / "events").mkdir(parents=True)
        events = event_log_conf((its / "events").as_uri())
        child = submit(
            master.url,
            script,
            arguments,
            log=its / "application.log",
            conf={**events, **served, **conf},
            properties_file=auth,
        )
        jobs.append(_LocalJob(child, its))
        return jobs[-1]

    with ExitStack() as stack:
        master = stack.enter_context(SparkMaster(folder / "master", secret=secret))
        served: dict[str, str] = {}
        if shuffle_service:
            served = stack.enter_context(
                running_shuffle_service(folder / "shuffle", secret, served=workers)
            )
        pool = LocalWorkerPool(master.url, workers, cores=CORES, memory_mb=MEMORY_MB, secret=secret)
        look = partial(observe, _NAME, master.web_url, pool, Past(), timeout_s=_OBSERVE_S)
        try:
            yield PoolCluster(pool, look, run, pool.stop)
        finally:
            stop_trees([psutil.Process(j.child.pid) for j in jobs if j.poll() is None])
            pool.stop_all()


@contextmanager
def container_cluster(
    kind: str, engine_url: str, image: str, network: str, *, shuffle_service: bool = False
) -> Iterator[PoolCluster]:
    """Containers of the Docker engine at ``engine_url``, which is to be this machine's.

    :param kind: ``docker`` or ``swarm``; ``shuffle_service``: jobs use that of the workers.
    :raises PoolError: the engine, the image or the network is missing.
    """
    from kitwai.pools.docker.client import Engine
    from kitwai.pools.docker.docker_pool import DockerWorkerPool
    from kitwai.pools.swarm.swarm_pool import SwarmWorkerPool
    from kitwai_lab.local.containers import ContainerSpark

    engine = Engine(engine_url)
    engine.check_image(image)
    engine.check_network(network, "bridge" if kind == "docker" else "overlay")
    containers = ContainerConfig(
        engine_url=engine_url,
        image=image,
        network=network,
        cpus=float(CORES),
        memory_mb=container_memory_mb(MEMORY_MB),
        # The benchmark's tasks wait: one machine carries many workers.
        reserved_cpus=0.0,
    )
    served = dict(SHUFFLE_SERVICE) if shuffle_service else {}

    def kill(worker: PoolWorker) -> None:
        label = f"com.docker.swarm.service.name={worker.name}"
        which = {"name": f"^/{worker.name}$"} if kind == "docker" else {"label": label}
        found = spark.client.containers(filters=which)
        if not found:
            raise KitwaiError(f"{worker.name} runs on another host and cannot be killed from here.")
        spark.client.kill(found[0]["Id"])

    with ContainerSpark(engine_url, image, network, f"{_NAME}-master") as spark:
        made = (spark.url, _NAME, containers, CORES, MEMORY_MB)
        pool = (
            DockerWorkerPool(*made)
            if kind == "docker"
            else SwarmWorkerPool(*made, web_url=spark.web_url)
        )
        look = partial(observe, _NAME, spark.web_url, pool, Past(), timeout_s=_OBSERVE_S)
        try:
            yield PoolCluster(
                pool,
                look,
                lambda script, args, conf: spark.submit(script, args, conf=served | conf),
                kill,
            )
        finally:
            pool.stop_all()
