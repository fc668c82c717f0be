"""Worker pools: what starts, drains and ends Spark workers. One file a kind of pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kitwai.config.connection import PoolConfig
    from kitwai.pools.base import WorkerPool


def make_pool(config: PoolConfig) -> WorkerPool:
    """The pool that ``config`` asks for."""
    if config.kind == "local":
        from kitwai.pools.local.local_pool import LocalWorkerPool

        return LocalWorkerPool(
            config.master,
            config.directory,
            cores=config.worker_cores,
            memory_mb=config.worker_memory_mb,
            secret=config.secret,
            spark_home=config.spark_home,
        )
    if config.kind == "docker":
        from kitwai.pools.docker.docker_pool import DockerWorkerPool

        return DockerWorkerPool(
            config.master,
            config.name,
            config.containers,
            cores=config.worker_cores,
            memory_mb=config.worker_memory_mb,
            secret=config.secret,
        )
    if config.kind == "swarm":
        from kitwai.pools.swarm.swarm_pool import SwarmWorkerPool

        return SwarmWorkerPool(
            config.master,
            config.name,
            config.containers,
            cores=config.worker_cores,
            memory_mb=config.worker_memory_mb,
            secret=config.secret,
            web_url=config.web_url,
        )
    from kitwai.pools.base import UnmanagedPool

    return UnmanagedPool()
