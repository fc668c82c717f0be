"""A worker that ends between the look at it and what is done to it."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

import builders
from kitwai.config.connection import cluster_config
from kitwai.errors import PoolError
from kitwai.pools import make_pool
from kitwai.pools.containers import POOL_LABEL, WORKER_LABEL
from kitwai.pools.local.local_pool import LocalWorkerPool

WORKER = builders.pool_worker(1)


class Client:
    """Of an engine that lists one running container and has lost it when asked to do something."""

    def __init__(self, fault):
        self.fault = fault

    def containers(self, **_):
        labels = {POOL_LABEL: "prod", WORKER_LABEL: "1"}
        listed = {"Id": "1", "Names": [f"/{WORKER.name}"], "Labels": labels, "State": "running"}
        return [listed]

    def get_archive(self, *_):
        from docker.errors import NotFound

        raise NotFound("no such file", response=SimpleNamespace(status_code=404))

    def lost(self, *_, **__):
        raise self.fault

    put_archive = kill = stop = lost


@pytest.fixture
def docker_pool():
    from docker.errors import APIError

    def whose_engine_says(status: int):
        extra = {"pool": "docker"}
        config = cluster_config("prod", host="spark", port=None, schema=None, extra=extra)
        pool = make_pool(config.pool)
        pool.engine.client = Client(
            APIError("gone", response=SimpleNamespace(status_code=status), explanation="It is gone")
        )
        return pool

    return whose_engine_says


@pytest.mark.parametrize("status", [404, 409])
def test_a_container_that_is_gone_is_neither_drained_nor_stopped(docker_pool, status):
    pool = docker_pool(status)
    pool.drain(WORKER)
    pool.stop(WORKER)


def test_another_fault_of_the_engine_is_one(docker_pool):
    pool = docker_pool(500)
    with pytest.raises(PoolError, match="could not drain worker-1: It is gone"):
        pool.drain(WORKER)


def test_a_process_that_has_ended_is_neither_drained_nor_stopped(tmp_path, monkeypatch):
    pool = LocalWorkerPool("spark://127.0.0.1:7077", tmp_path)
    (tmp_path / WORKER.name).mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = psutil.Process(child.pid)
        child.communicate(b"\n")
    found = iter([process])
    monkeypatch.setattr(pool, "_find", lambda _: next(found, None))
    pool.drain(WORKER)
    pool.stop(WORKER)
