"""The settings of pools of containers."""

from __future__ import annotations

from kitwai.config.connection import cluster_config
from kitwai.config.pools.docker import ContainerConfig


def config(extra=None, **asked):
    fields = {"host": "spark", "port": 8080, "schema": "http", "extra": extra or {}}
    return cluster_config("prod", **(fields | asked))


def test_containers_hold_by_default_what_their_worker_offers_and_needs():
    made = config({"pool": "docker", "worker_cores": 3, "worker_memory_mb": 8192}).pool
    assert (made.kind, made.name) == ("docker", "prod")
    containers = made.settings.containers
    assert (containers.cpus, containers.memory_mb) == (3.0, 8192 + 819 + 512)
    assert (containers.image, containers.network) == ("kitwai-engine", "kitwai")
    assert containers.engine_url == "unix:///var/run/docker.sock"


def test_a_connection_may_name_an_engine_and_limits():
    extra = {"docker_url": "tcp://proxy:2375", "image": "spark:4", "network": "jobs"}
    limits = {"container_cpus": 1.5, "container_memory_mb": 4096}
    made = config({"pool": "docker"} | extra | limits).pool.settings.containers
    assert made == ContainerConfig("tcp://proxy:2375", "spark:4", "jobs", 1.5, 4096, 1.5)
