"""The settings of the pool of containers on one Docker engine."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from kitwai.config.pools import PoolSettings
from kitwai.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class ContainerConfig:
    """What a worker's container is made of, and where.

    ``engine_url``: of the Docker engine; ``image``: as ``docker/spark`` builds it; ``network``:
    where master, workers and drivers reach one another by name; ``cpus`` and ``memory_mb`` (MiB):
    limits of a container; ``reserved_cpus``: what Swarm sets aside for one on its host.
    """

    engine_url: str
    image: str
    network: str
    cpus: float
    memory_mb: int
    reserved_cpus: float


class DockerSettings(PoolSettings):
    """The engine, the image, the network, and a container's limits.

    A container's limits are by default what its worker offers and what Spark needs beside it.
    """

    docker_url: str = "unix:///var/run/docker.sock"
    image: str = Field("kitwai-engine", min_length=1)
    network: str = Field("kitwai", min_length=1)
    container_cpus: float | None = Field(None, ge=0.1)
    container_memory_mb: int | None = Field(None, strict=True)

    @property
    def containers(self) -> ContainerConfig:
        """What a worker's container is made of."""
        cpus, memory_mb = self.container_cpus, self.container_memory_mb
        limit = float(self.worker_cores if cpus is None else cpus)
        needed = container_memory_mb(self.worker_memory_mb)
        return ContainerConfig(
            engine_url=self.docker_url,
            image=self.image,
            network=self.network,
            cpus=limit,
            memory_mb=needed if memory_mb is None else memory_mb,
            reserved_cpus=limit,
        )

    def check(self, where: str) -> None:
        """:raises InvalidInputError: a container's memory is too small for its worker."""
        needed, memory_mb = container_memory_mb(self.worker_memory_mb), self.containers.memory_mb
        if memory_mb < needed:
            raise InvalidInputError(
                f"{where}: container_memory_mb must be at least {needed} where worker_memory_mb is "
                f"{self.worker_memory_mb}, not {memory_mb}."
            )


def container_memory_mb(worker_memory_mb: int) -> int:
    """MiB that a worker of ``worker_memory_mb`` MiB needs in all.

    Beside the executors' heaps: what a JVM takes outside its heap (Spark's
    ``spark.executor.memoryOverhead``: a tenth, at least 384 MiB) and 512 MiB for the worker itself.
    """
    return worker_memory_mb + max(384, worker_memory_mb // 10) + 512
