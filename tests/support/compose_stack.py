"""The stack of docker-compose.yaml on the tests' engine, with images built here."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import httpx

from docker_engine import BASE, ENGINE_IMAGE, DockerEngine, build, forwarded
from kitwai.pools.processes import free_port
from kitwai_lab.local.started import Started

PROJECT = "kitwai-test"
NETWORK = "kitwai-test-compose"
AIRFLOW_IMAGE = "kitwai-airflow"
PROXY_IMAGE = "kitwai-socket-proxy"
POSTGRES_IMAGE = "kitwai-test-postgres"
DAG_ID = "kitwai_autoscale"


class ComposeStack(Started):
    """What ``docker compose up`` makes, as a context manager that leaves nothing behind.

    ``api`` is an HTTP client of the stack's Airflow, which `log_in` lets in.
    """

    def __init__(self, engine: DockerEngine, repository: Path, folder: Path, **settings: str):
        """:param folder: for its settings' file; ``settings``: in addition to the secrets."""
        self.client = docker.APIClient(engine.url, timeout=120)
        self._repository = repository
        self._engine = engine
        self._file = folder / "compose.env"
        self._command = _compose_command()
        self.port = free_port()
        self._env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DOCKER_HOST": engine.url,
            "DOCKER_SOCKET": engine.url.removeprefix("unix://"),
        }
        self._settings = {
            "DOCKER_SOCKET": self._env["DOCKER_SOCKET"],
            "BASE_IMAGE": BASE,
            "POSTGRES_IMAGE": POSTGRES_IMAGE,
            "KITWAI_AIRFLOW_IMAGE": AIRFLOW_IMAGE,
            "KITWAI_ENGINE_IMAGE": ENGINE_IMAGE,
            "KITWAI_PROXY_IMAGE": PROXY_IMAGE,
            "KITWAI_NETWORK": NETWORK,
            "KITWAI_LISTEN": f"127.0.0.1:{self.port}",
            **settings,
        }
        self._ended = contextlib.ExitStack()
        self.api = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", timeout=60, trust_env=False
        )

    def build(self) -> None:
        """Build its images; the engine's is there already."""
        root = self._repository
        build(self.client, root, AIRFLOW_IMAGE, "docker/airflow/Dockerfile", stage="packages")
        build(self.client, root / "docker" / "socket-proxy", PROXY_IMAGE)
        build(self.client, root / "tests" / "real" / "docker" / "postgres", POSTGRES_IMAGE)

    def start(self) -> None:
        """Start everything but the workers."""
        made = subprocess.run(
            [self._repository / "scripts" / "env.sh"],
            env=self._env,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        more = "".join(f"{name}={value}\n" for name, value in self._settings.items())
        self._file.write_text(made + more)
        self.secrets = dict(re.findall(r"^([A-Z_]+)=(.{44})$", made, re.MULTILINE))
        try:
            # The networks first, for this machine's firewall has to let them be; of services that
            # wait for no other: the older compose would wait although it starts none.
            self.compose("up", "--no-start", "--no-build", *_FIRST)
            for network in self.client.networks(filters={"label": f"{_LABEL}={PROJECT}"}):
                self._ended.enter_context(forwarded(f"br-{network['Id'][:12]}"))
            self.compose("up", "--detach", "--no-build")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything, and remove its volumes."""
        self.api.close()
        for worker in self.workers(every=True):
            self.client.remove_container(worker["Id"], force=True, v=True)
        with self._ended:
            self.compose("down", "--volumes", "--timeout", "5")

    def compose(self, *arguments: str) -> None:
        """Run the compose command."""
        ended = subprocess.run(
            [
                *self._command,
                *("--project-name", PROJECT, "--env-file", self._file),
                *("--file", self._repository / "docker-compose.yaml"),
                *arguments,
            ],
            env=self._env,
            cwd=self._repository,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if ended.returncode != 0:
            said = "\n".join(f"{name}:\n{self.log(name)}" for name in self.services())
            raise RuntimeError(f"compose {arguments[0]} failed:\n{ended.stdout}\n{said}")

    def services(self) -> dict[str, dict[str, Any]]:
        """What the engine says of each service's container."""
        project = {"label": f"{_LABEL}={PROJECT}"}
        return {
            container["Labels"]["com.docker.compose.service"]: self.client.inspect_container(
                container["Id"]
            )
            for container in self.client.containers(all=True, filters=project)
        }

    def log(self, service: str, lines: int = 40) -> str:
        """The last lines that a service has printed."""
        return self.client.logs(self.services()[service]["Id"], tail=lines).decode()

    def workers(self, *, every: bool = False) -> list[dict[str, Any]]:
        """The containers of the pool's workers: those that run, or all."""
        return self.client.containers(all=every, filters={"label": "kitwai.pool"})

    def run(self, service: str, command: list[str]) -> tuple[int, str]:
        """Run a command in a service's container: its exit code and what it printed."""
        made = self.client.exec_create(self.services()[service]["Id"], command)["Id"]
        printed = self.client.exec_start(made).decode()
        return self.client.exec_inspect(made)["ExitCode"], printed

    def log_in(self) -> bool:
        """Whether the API took the password of the settings' file; it is logged in then."""
        login = {"username": "admin", "password": self.secrets["KITWAI_ADMIN_PASSWORD"]}
        try:
            answer = self.api.post("/auth/token", json=login)
        except httpx.TransportError:
            return False
        if answer.is_success:
            self.api.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return answer.is_success


_FIRST = ("postgres", "socket-proxy", "spark-master")
_LABEL = "com.docker.compose.project"


def _compose_command() -> list[str]:
    """Compose as the engine's client knows it, or the older command of its own."""
    if shutil.which("docker"):
        asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if asked.returncode == 0:
            return ["docker", "compose"]
    return ["docker-compose"]


@contextlib.contextmanager
def told(stack: ComposeStack) -> Iterator[None]:
    """Shows what every service printed last where a test inside fails."""
    try:
        yield
    except BaseException:
        for name in stack.services():
            print(f"--- {name}\n{stack.log(name)}")
        raise


def wait(what: str, done: Callable[[], object], timeout_s: float) -> None:
    until = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < until, f"waited {timeout_s:.0f} s until {what}"
        time.sleep(1)
