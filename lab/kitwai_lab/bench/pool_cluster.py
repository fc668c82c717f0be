"""A Spark cluster with a pool of each kind, where `kitwai bench pool` measures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from kitwai.config.pools.docker import ContainerConfig, container_memory_mb
from kitwai.core.records.observation import Observation, Past, PoolWorker
from kitwai.errors import KitwaiError
from kitwai.observe.look import observe
from kitwai.pools.base import WorkerPool
from kitwai.pools.spark_options import SHUFFLE_SERVICE
from kitwai_lab.local.cluster import LocalCluster

CORES = 2
MEMORY_MB = 512
_NAME = "kitwai-bench"
_OBSERVE_S = 10.0


class Job(Protocol):
    """A submitted application."""

    def poll(self) -> int | None:
        """The application's exit code, None while it runs."""
        ...

    def event_log(self) -> str:
        """The text of the event log, once the application has ended."""
        ...

    def log(self) -> str:
        """The end of what the application printed."""
        ...


@dataclass(frozen=True, slots=True)
class PoolCluster:
    """A master and a pool.

    ``look`` observes both; ``submit`` takes a script, its arguments and Spark properties; ``kill``
    ends a worker outright, behind the pool's back.
    """

    pool: WorkerPool
    look: Callable[[], Observation]
    submit: Callable[[Path, Sequence[str], dict[str, str]], Job]
    kill: Callable[[PoolWorker], None]


@contextmanager
def local_cluster(folder: Path, *, shuffle_service: bool = False) -> Iterator[PoolCluster]:
    """A cluster of processes of this machine, which end on leaving.

    :param folder: holds all files.
    :param shuffle_service: whether the machine runs Spark's external shuffle service for jobs.
    """
    cluster = LocalCluster(
        folder, cores=CORES, memory_mb=MEMORY_MB, secured=True, shuffle_service=shuffle_service
    )
    with cluster:
        look = partial(cluster.look, _NAME, _OBSERVE_S)
        yield PoolCluster(cluster.pool, look, cluster.submit, cluster.pool.stop)


@contextmanager
def container_cluster(
    kind: str, engine_url: str, image: str, network: str, *, shuffle_service: bool = False
) -> Iterator[PoolCluster]:
    """A cluster of containers, which are removed on leaving.

    :param kind: ``docker`` or ``swarm``.
    :param engine_url: of the Docker engine, which is to be this machine's.
    :param shuffle_service: whether jobs use the shuffle service of the workers.
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
        containers_here = spark.client.containers(filters=which)
        if not containers_here:
            raise KitwaiError(f"{worker.name} runs on another host and cannot be killed from here.")
        spark.client.kill(containers_here[0]["Id"])

    with ContainerSpark(engine_url, image, network, f"{_NAME}-master") as spark:
        settings = (spark.url, _NAME, containers, CORES, MEMORY_MB)
        pool = (
            DockerWorkerPool(*settings)
            if kind == "docker"
            else SwarmWorkerPool(*settings, web_url=spark.web_url)
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
