"""The way to a Docker engine: its client, and its errors as one clear sentence each."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from kitwai.errors import PoolError

if TYPE_CHECKING:
    from docker.api.client import APIClient

# More than the engine takes to end a container by force.
_TIMEOUT_S = 30


class Engine:
    """The Docker engine at ``url`` (``unix:///path`` or ``tcp://host:port``), reached when used."""

    def __init__(self, url: str) -> None:
        self.url = url

    @cached_property
    def client(self) -> APIClient:
        """The engine's client. :raises PoolError: there is no engine, or it is not allowed."""
        from airflow.providers.docker.hooks.docker import DockerHook
        from airflow.sdk.exceptions import AirflowException

        # The hook logs why, as an error; the PoolError says it where it is seen.
        logging.getLogger(f"{DockerHook.__module__}.{DockerHook.__name__}").setLevel("CRITICAL")
        hook = DockerHook(docker_conn_id=None, base_url=self.url, timeout=_TIMEOUT_S)
        try:
            return hook.get_conn()
        except AirflowException as error:
            raise PoolError(
                f"No Docker engine answers at {self.url}: start it, or set the extra field "
                '"docker_url" to where it is and let this user reach it.'
            ) from error

    @contextlib.contextmanager
    def doing(self, what: str) -> Iterator[APIClient]:
        """The client, for ``what`` ("list workers").

        :raises PoolError: naming ``what``, for any fault of the engine inside.
        """
        from docker.errors import APIError, DockerException
        from requests.exceptions import RequestException

        try:
            yield self.client
        except APIError as error:
            raise PoolError(
                f"The Docker engine at {self.url} could not {what}: {_sentence(error.explanation)}."
            ) from error
        except (DockerException, RequestException, OSError) as error:
            raise PoolError(
                f"The Docker engine at {self.url} gave no answer when asked to {what}: "
                f"{_sentence(error)}."
            ) from error

    def check_image(self, image: str) -> None:
        """:raises PoolError: the engine does not have ``image``."""
        from docker.errors import NotFound

        with self.doing(f"look for the image {image}") as client:
            try:
                client.inspect_image(image)
            except NotFound:
                raise PoolError(
                    f"The Docker engine at {self.url} has no image {image!r}: build it (docker "
                    f"build -t {image} docker/spark) or pull it there."
                ) from None

    def check_swarm(self) -> None:
        """:raises PoolError: the engine manages no Swarm."""
        with self.doing("tell of its Swarm") as client:
            swarm = client.info().get("Swarm", {})
        if not swarm.get("ControlAvailable"):
            raise PoolError(
                f"The Docker engine at {self.url} is no manager of a Swarm: make it one (docker "
                'swarm init), or set the extra field "docker_url" to one that is.'
            )

    def check_network(self, network: str, driver: str) -> None:
        """:raises PoolError: there is no network of that name and driver (bridge, overlay)."""
        from docker.errors import NotFound

        attachable = " --attachable" if driver == "overlay" else ""
        make = f"make it (docker network create --driver {driver}{attachable} {network})"
        with self.doing(f"look for the network {network}") as client:
            try:
                found = client.inspect_network(network)
            except NotFound:
                raise PoolError(
                    f"The Docker engine at {self.url} has no network {network!r}: {make}."
                ) from None
        if network in ("bridge", "host", "none") or found["Driver"] not in (driver, "overlay"):
            raise PoolError(
                f"Workers cannot find one another by name in the Docker network {network!r}: name "
                f"another one, or {make}."
            )


def _sentence(said: object) -> str:
    return " ".join(str(said).split())[:300].rstrip(".")
