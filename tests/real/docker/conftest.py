"""A real Docker engine for all tests, and on it a Spark master in a container of its own."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import docker
import pytest

from docker_engine import (
    CACHE,
    ENGINE_IMAGE,
    DockerEngine,
    NoEngine,
    build,
    forwarded,
    import_base,
    leave_swarm,
    remove_leftovers,
)
from kitwai.config.pools.docker import ContainerConfig, container_memory_mb
from kitwai.core.records.observation import Observation, Past, PoolWorker
from kitwai.observe.look import observe
from kitwai.pools.docker.docker_pool import DockerWorkerPool
from kitwai.pools.swarm.swarm_pool import SwarmWorkerPool
from kitwai_lab.local.containers import ContainerSpark

Pool = DockerWorkerPool | SwarmWorkerPool

NOWHERE = "spark://nobody:7077"

BRIDGE = "kitwai-test0"
MASTER = "kitwai-test-master"
MEMORY_MB = 512
GRACE_S = 12.0
"""What a Swarm worker of these tests may take to drain, where it has nothing to hand on."""

SWARM_PORT = 2377


@pytest.fixture(scope="session")
def engine(repository: Path) -> Iterator[DockerEngine]:
    # Its images outlive the checkout; where another run is at work there, they are made anew.
    engine = DockerEngine(CACHE / "docker")
    if not engine.lock():
        engine.close()
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
        build(client, repository / "docker" / "spark", ENGINE_IMAGE, stage="spark")
        yield engine
        remove_leftovers(client)
        # What an older state of the sources gave.
        client.prune_images({"dangling": True, "until": "24h"})
    finally:
        engine.close()


@pytest.fixture(scope="session")
def client(engine: DockerEngine) -> docker.APIClient:
    return docker.APIClient(engine.url, timeout=60)


@pytest.fixture(scope="session")
def bridge(client: docker.APIClient) -> Iterator[str]:
    """A network that the engine's containers share."""
    name = "kitwai-test"
    client.create_network(
        name,
        driver="bridge",
        check_duplicate=True,
        options={"com.docker.network.bridge.name": BRIDGE},
    )
    with forwarded(BRIDGE):
        yield name


@pytest.fixture(scope="session")
def swarm(client: docker.APIClient) -> Iterator[None]:
    """Makes the engine a Swarm, whose only host it is."""
    client.init_swarm("127.0.0.1", f"127.0.0.1:{SWARM_PORT}")
    yield
    leave_swarm(client)


@pytest.fixture(scope="module")
def overlay(client: docker.APIClient, swarm: None, request: pytest.FixtureRequest) -> Iterator[str]:
    """A network over all hosts of the Swarm; each module has its own.

    An engine that was too slow to attach a container leaves a VXLAN device behind, which keeps
    whatever follows out of the same network. A host forgets an overlay network with its last
    container, and may not find it again at once: a container that sleeps keeps it there.
    """
    name = f"kitwai-{request.module.__name__.rpartition('.')[2]}".replace("_", "-")
    client.create_network(name, driver="overlay", attachable=True)
    host = client.create_host_config(network_mode=name)
    keeper = client.create_container(
        ENGINE_IMAGE, ["infinity"], entrypoint="sleep", host_config=host
    )
    client.start(keeper)
    yield name
    client.remove_container(keeper, force=True)


@pytest.fixture
def kind() -> str:
    """The kind of pool; modules and tests choose another by parametrising it."""
    return "docker"


@pytest.fixture
def network(kind: str, request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue({"docker": "bridge", "swarm": "overlay"}[kind])


@pytest.fixture
def start_spark(engine: DockerEngine, network: str) -> Iterator[Callable[..., ContainerSpark]]:
    """Starts a Spark master that is ``spark://MASTER:7077`` to containers."""
    made = []

    def start(secret: str | None = None, *, decommissions: bool = True) -> ContainerSpark:
        spark = ContainerSpark(
            engine.url, ENGINE_IMAGE, network, MASTER, secret=secret, decommissions=decommissions
        )
        made.append(spark)
        spark.start()
        return spark

    yield start
    for spark in made:
        spark.stop()


@pytest.fixture
def decommissions() -> bool:
    """Whether the master decommissions workers for others; tests choose by parametrising it."""
    return True


@pytest.fixture
def spark(start_spark: Callable[..., ContainerSpark], decommissions: bool) -> ContainerSpark:
    return start_spark(decommissions=decommissions)


@pytest.fixture
def make_pool(engine: DockerEngine, kind: str, network: str) -> Iterator[Callable[..., Pool]]:
    """Makes pools of small workers; whatever runs in them ends with the test."""
    made = []

    def make(
        name: str = "test",
        master: str = f"spark://{MASTER}:7077",
        *,
        cores: int = 2,
        grace_s: float | None = None,
        secret: str | None = None,
        web_url: str | None = None,
        **containers: Any,
    ) -> Pool:
        settings = {
            "engine_url": engine.url,
            "image": ENGINE_IMAGE,
            "network": network,
            "cpus": 2.0,
            "memory_mb": container_memory_mb(MEMORY_MB),
            "reserved_cpus": 0.0,
        }
        config = ContainerConfig(**settings | containers)
        if kind == "swarm":
            limit = {} if grace_s is None else {"grace_s": grace_s}
            pool = SwarmWorkerPool(
                master, name, config, cores, MEMORY_MB, secret=secret, web_url=web_url, **limit
            )
        else:
            pool = DockerWorkerPool(master, name, config, cores, MEMORY_MB, secret=secret)
        if pool.containers.engine_url == engine.url:
            made.append(pool)
        return pool

    yield make
    for pool in made:
        pool.stop_all()


@pytest.fixture
def containers_of(client: docker.APIClient, kind: str) -> Callable[[PoolWorker], str]:
    """The container that a worker runs in."""

    def find(worker: PoolWorker) -> str:
        if kind == "docker":
            return worker.name
        label = f"com.docker.swarm.service.name={worker.name}"
        until = time.monotonic() + 30
        while not (found := client.containers(filters={"label": label})):
            assert time.monotonic() < until, f"{worker.name} has no container"
            time.sleep(0.2)
        return str(found[0]["Id"])

    return find


@pytest.fixture
def kill(client: docker.APIClient, containers_of: Callable[[PoolWorker], str]):
    return lambda pool, worker: client.kill(containers_of(worker))


@pytest.fixture
def freeze(client: docker.APIClient, containers_of: Callable[[PoolWorker], str]):
    return lambda pool, worker: client.pause(containers_of(worker))


@pytest.fixture
def full_disk(engine: DockerEngine) -> Callable[[], AbstractContextManager[None]]:
    """While it is entered, the engine has no room for another container."""

    @contextmanager
    def full() -> Iterator[None]:
        folder = engine.folder / "data" / "containers"
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=1", "full", folder], check=True
        )
        try:
            yield
        finally:
            subprocess.run(["umount", folder], check=True)

    return full


@pytest.fixture
def lone_pool(make_pool: Callable[..., Pool]) -> Pool:
    """One whose workers find no master."""
    return make_pool("lone_pool", NOWHERE, grace_s=GRACE_S)


@pytest.fixture
def again(lone_pool: Pool, make_pool: Callable[..., Pool]) -> Callable[[], Pool]:
    return lambda: make_pool("lone_pool", NOWHERE, grace_s=GRACE_S)


@pytest.fixture
def starter(lone_pool: Pool) -> Callable[[int], list[str]]:
    made = type(lone_pool)
    code = (
        "import json, sys; from kitwai.config.pools.docker import ContainerConfig\n"
        f"from {made.__module__} import {made.__name__}\n"
        "containers = ContainerConfig(**json.loads(sys.argv[3]))\n"
        f"{made.__name__}(sys.argv[1], sys.argv[2], containers).start(int(sys.argv[4]))"
    )
    containers = json.dumps(dataclasses.asdict(lone_pool.containers))
    command = [sys.executable, "-c", code, lone_pool.master_url, lone_pool.name, containers]
    return lambda count: [*command, str(count)]


@pytest.fixture
def pool(make_pool: Callable[..., Pool], spark: ContainerSpark) -> Pool:
    return make_pool(web_url=spark.web_url)


@pytest.fixture
def look(spark: ContainerSpark, pool: Pool) -> Callable[[], Observation]:
    return partial(observe, "test", spark.web_url, pool, Past(), timeout_s=10.0)
