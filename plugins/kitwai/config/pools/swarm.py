"""The settings of the pool of services of a Docker Swarm."""

from __future__ import annotations

import dataclasses

from pydantic import Field

from kitwai.config.pools.docker import ContainerConfig, DockerSettings
from kitwai.errors import InvalidInputError


class SwarmSettings(DockerSettings):
    """As a pool of containers, and ``reserved_cpus``, which Swarm sets aside for a worker."""

    reserved_cpus: float | None = Field(None, ge=0)

    @property
    def containers(self) -> ContainerConfig:
        """What a worker's container is made of."""
        containers = super().containers
        if self.reserved_cpus is None:
            return containers
        return dataclasses.replace(containers, reserved_cpus=self.reserved_cpus)

    def check(self, where: str) -> None:
        """:raises InvalidInputError: a container may not use what is set aside for it, too."""
        super().check(where)
        containers = self.containers
        if containers.reserved_cpus > containers.cpus:
            raise InvalidInputError(
                f"{where}: reserved_cpus must be at most container_cpus, which is "
                f"{containers.cpus:g}, not {containers.reserved_cpus:g}."
            )
