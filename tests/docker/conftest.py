"""A real Docker engine for all tests, and on it a Spark master in a container of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from docker_engine import (
    ENGINE_IMAGE,
    DockerEngine,
    NoEngine,
    build,
    forwarded,
    import_base,
    remove_leftovers,
)

from kitwai.connection import ContainerConfig, container_memory_mb
from kitwai.core.observation import Observation, Past
from kitwai.observe.observer import observe
from kitwai.pools.docker import DockerWorkerPool
from kitwai.sandbox.spark import QUICK_JVM

NETWORK = "kitwai-test"
BRIDGE = "kitwai-test0"
MASTER = "kitwai-test-master"
MEMORY_MB = 512


@pytest.fixture(scope="session")
def engine(repository: Path) -> Iterator[DockerEngine]:
    engine = DockerEngine(repository / "run" / "docker")
    try:
        engine.start()
    except NoEngine as error:
        engine.close()
        pytest.skip(f"NO DOCKER ENGINE, NOTHING OF DOCKER IS TESTED: {error}")
    client = docker.APIClient(engine.url, timeout=120)
    try:
        remove_leftovers(client)
        import_base(client, engine.folder)
        build(client, repository / "docker" / "engine", ENGINE_IMAGE)
        yield engine
        remove_leftovers(client)
    finally:
        engine.close()


@pytest.fixture(scope="session")
def client(engine: DockerEngine) -> docker.APIClient:
    return docker.APIClient(engine.url, timeout=60)


@pytest.fixture(scope="session")
def network(client: docker.APIClient) -> Iterator[str]:
    client.create_network(
        NETWORK,
        driver="bridge",
        check_duplicate=True,
        options={"com.docker.network.bridge.name": BRIDGE},
    )
    with forwarded(BRIDGE):
        yield NETWORK


@pytest.fixture
def master_address(client: docker.APIClient, network: str) -> Iterator[str]:
    """The web address of a Spark master that is ``spark://MASTER:7077`` to containers."""
    made = client.create_container(
        ENGINE_IMAGE,
        ["org.apache.spark.deploy.master.Master", "--host", MASTER],
        name=MASTER,
        hostname=MASTER,
        environment={"SPARK_DAEMON_JAVA_OPTS": QUICK_JVM},
        host_config=client.create_host_config(network_mode=network),
    )
    client.start(made)
    seen = client.inspect_container(made)["NetworkSettings"]["Networks"][network]
    address = f"http://{seen['IPAddress']}:8080"
    until = time.monotonic() + 60
    while not _answers(f"{address}/json/"):
        assert time.monotonic() < until, client.logs(made, tail=20).decode()
        time.sleep(0.3)
    yield address
    client.remove_container(made, force=True, v=True)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


@pytest.fixture
def make_pool(engine: DockerEngine, network: str) -> Iterator[Callable[..., DockerWorkerPool]]:
    """Makes pools of small workers; whatever runs in them ends with the test."""
    made = []

    def make(name: str = "test", master: str = f"spark://{MASTER}:7077", **containers: Any):
        settings = {
            "engine_url": engine.url,
            "image": ENGINE_IMAGE,
            "network": network,
            "cpus": 2.0,
            "memory_mb": container_memory_mb(MEMORY_MB),
        }
        pool = DockerWorkerPool(
            master, name, ContainerConfig(**settings | containers), cores=2, memory_mb=MEMORY_MB
        )
        if pool.containers.engine_url == engine.url:
            made.append(pool)
        return pool

    yield make
    for pool in made:
        pool.stop_all()


@pytest.fixture
def pool(make_pool: Callable[..., DockerWorkerPool], master_address: str) -> DockerWorkerPool:
    return make_pool()


@pytest.fixture
def look(master_address: str, pool: DockerWorkerPool) -> Callable[[], Observation]:
    return partial(observe, "test", master_address, pool, Past(), timeout_s=10.0)
