"""A Spark master and applications in containers of one engine. Workers are the pool's."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from kitwai.errors import PoolError
from kitwai.pools.containers import AUTH_FILE, HOME, archive
from kitwai.pools.spark_options import (
    APPLICATION,
    MASTER_DECOMMISSIONS,
    QUICK_JVM,
    auth_properties,
    java_options,
)
from kitwai_lab.local.spark import event_log_conf
from kitwai_lab.local.started import Started

if TYPE_CHECKING:
    from docker.api.client import APIClient

_START_S = 150.0
_POLL_S = 0.3
_MOST_BYTES = 256 << 20
# The address by which the engine's machine reaches the container. In an overlay network the
# container's address is for containers alone, and its way out is another network.
_PUBLIC = (
    'SPARK_PUBLIC_DNS=$(python3 -c "import socket as s; u = s.socket(s.AF_INET, s.SOCK_DGRAM);'
    " u.connect(('192.0.2.1', 9)); print(u.getsockname()[0])\" || hostname -i)"
    ' exec /opt/python/pyspark/bin/spark-class "$@"'
)


def address_of(client: APIClient, container: str) -> str:
    """The address by which the engine's machine reaches ``container``."""
    networks = client.inspect_container(container)["NetworkSettings"]["Networks"]
    network, settings = next(iter(networks.items()))
    if client.inspect_network(network)["Driver"] == "overlay":
        gateway = client.inspect_network("docker_gwbridge")
        return str(gateway["Containers"][container]["IPv4Address"]).partition("/")[0]
    return str(settings["IPAddress"])


class ContainerApplication:
    """A driver in a container that `ContainerSpark.submit` has started."""

    def __init__(self, client: APIClient, container: str) -> None:
        self._client = client
        self.container = container

    def poll(self) -> int | None:
        """The driver's exit code, None while it runs."""
        state = self._client.inspect_container(self.container)["State"]
        return None if state["Running"] else int(state["ExitCode"])

    def wait(self, timeout_s: float) -> int:
        """The driver's exit code, once it has ended.

        :raises PoolError: the driver takes longer than ``timeout_s``.
        """
        until = time.monotonic() + timeout_s
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise PoolError(f"The application did not end within {timeout_s:.0f} s.")
            time.sleep(_POLL_S)
        return code

    def log(self, lines: int = 60) -> str:
        """The last ``lines`` lines that the driver printed."""
        return str(self._client.logs(self.container, tail=lines).decode(errors="replace"))

    def read(self, path: str) -> str:
        """The text of a file in the driver's container.

        :param path: of the file, or of a folder that holds only this file.
        :raises PoolError: there is not exactly one file, or it is very large.
        """
        stream, _ = self._client.get_archive(self.container, path)
        packed = io.BytesIO()
        for chunk in stream:
            packed.write(chunk)
            if packed.tell() > _MOST_BYTES:
                raise PoolError(f"{path} of the application's container is too large.")
        packed.seek(0)
        with tarfile.open(fileobj=packed) as tar:
            files = [entry for entry in tar.getmembers() if entry.isfile()]
            if len(files) != 1 or (file := tar.extractfile(files[0])) is None:
                raise PoolError(f"The application has left {len(files)} files in {path}, not one.")
            return file.read().decode()

    def event_log(self) -> str:
        """The text of the application's event log. :raises PoolError: as `read`."""
        return self.read(f"{HOME}/events")


class ContainerSpark(Started):
    """A Spark standalone master in a container, and drivers beside it.

    ``url`` is for workers and applications. ``web_url`` is the address of the master's page for
    this machine, which has to be the engine's. Stopping removes all containers.
    """

    def __init__(
        self,
        engine_url: str,
        image: str,
        network: str,
        name: str,
        *,
        secret: str | None = None,
        decommissions: bool = True,
    ) -> None:
        """
        :param name: of the master's container, by which the network knows it.
        :param secret: of the cluster (``spark.authenticate.secret``), None for none.
        :param decommissions: whether the master decommissions workers for others.
        """
        self.engine_url = engine_url
        self.image = image
        self.network = network
        self.name = name
        self.secret = secret
        self.properties = MASTER_DECOMMISSIONS if decommissions else {}
        self.url = f"spark://{name}:7077"
        self.web_url = ""
        self._made: list[str] = []
        self._client: APIClient | None = None

    @property
    def client(self) -> APIClient:
        """The engine's client."""
        from docker.api.client import APIClient

        if self._client is None:
            self._client = APIClient(self.engine_url, timeout=60)
        return self._client

    def start(self) -> None:
        """Start the master and return when its page answers.

        :raises PoolError: the master did not come up.
        """
        command = ["org.apache.spark.deploy.master.Master", "--host", self.name]
        if self.secret is not None:
            command += ["--properties-file", AUTH_FILE]
        container = self._create(
            name=self.name,
            hostname=self.name,
            command=command,
            environment={
                "SPARK_DAEMON_JAVA_OPTS": QUICK_JVM,
                "SPARK_MASTER_OPTS": java_options(self.properties),
            },
        )
        self.client.start(container)
        self.web_url = f"http://{address_of(self.client, container)}:8080"
        until = time.monotonic() + _START_S
        while not self._answers():
            if time.monotonic() > until:
                said = self.client.logs(container, tail=20).decode(errors="replace")
                self.stop()
                raise PoolError(f"The Spark master in {self.name} did not come up: {said}")
            time.sleep(_POLL_S)

    def submit(
        self,
        script: Path,
        arguments: Sequence[str] = (),
        *,
        conf: Mapping[str, str] | None = None,
        executor_cores: int = 2,
    ) -> ContainerApplication:
        """Run the Python application ``script`` in client mode, its driver in a container.

        :param conf: Spark properties, added to those that let workers come and go.
        """
        properties = {
            **APPLICATION,
            "spark.driver.extraJavaOptions": QUICK_JVM,
            "spark.executor.cores": str(executor_cores),
            **event_log_conf(f"file://{HOME}/events"),
            **(conf or {}),
        }
        options = [part for item in properties.items() for part in ("--conf", "=".join(item))]
        if self.secret is not None:
            options += ["--properties-file", AUTH_FILE]
        container = self._create(
            entrypoint=["tini", "--", "sh", "-c", f"mkdir -p {HOME}/events; {_PUBLIC}", "sh"],
            command=[
                *("org.apache.spark.deploy.SparkSubmit", "--master", self.url, *options),
                *(f"{HOME}/{script.name}", *arguments),
            ],
        )
        self.client.put_archive(
            container, "/", archive({f"{HOME}/{script.name}": script.read_bytes()})
        )
        self.client.start(container)
        return ContainerApplication(self.client, container)

    def stop(self) -> None:
        """Remove the master and all drivers."""
        from docker.errors import NotFound

        while self._made:
            try:
                self.client.remove_container(self._made.pop(), force=True, v=True)
            except NotFound:
                continue

    def _create(self, **description: Any) -> str:
        container = str(
            self.client.create_container(
                self.image,
                host_config=self.client.create_host_config(network_mode=self.network),
                **description,
            )["Id"]
        )
        self._made.append(container)
        if self.secret is not None:
            auth = {AUTH_FILE: auth_properties(self.secret).encode()}
            self.client.put_archive(container, "/", archive(auth, mode=0o400))
        return container

    def _answers(self) -> bool:
        try:
            answer = httpx.get(f"{self.web_url}/json/", timeout=5.0, trust_env=False)
            return bool(json.loads(answer.text))
        except (httpx.HTTPError, ValueError):
            return False
