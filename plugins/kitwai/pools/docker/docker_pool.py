"""A pool of Spark workers in containers of one Docker engine.

The engine is the truth. A container belongs to the pool by its labels ``kitwai.pool`` (the pool's
name) and ``kitwai.worker`` (its number), so any process finds it again; others are never touched.
The one fact that a running container's labels cannot take, the moment at which it was told to
leave, is the modification time of an empty file inside it.
"""

from __future__ import annotations

import signal
import time
from typing import Any

from kitwai.config.pools import PoolConfig
from kitwai.config.pools.docker import DockerSettings
from kitwai.core.records.observation import PoolWorker
from kitwai.errors import PoolError
from kitwai.pools.base import Each, untold
from kitwai.pools.containers import (
    AUTH_FILE,
    ENVIRONMENT,
    LOG_LINES,
    POOL_LABEL,
    PROCESSES,
    WORKER_LABEL,
    ContainerPool,
    archive,
    moment,
    number_in,
)
from kitwai.pools.spark_options import auth_properties
from kitwai.pools.worker import (
    LISTED_AFTER_END_S,
    LOGS_KEPT,
    SIGNAL_AGAIN_S,
    WORKER_CLASS,
    last_said,
)

_MARK_FOLDER = "/tmp"  # noqa: S108 - inside the container
_MARK = "kitwai-draining"
_GRACE_S = 10
_SWARM_LABEL = "com.docker.swarm.service.id"


class DockerWorkerPool(ContainerPool):
    """`kitwai.pools.base.WorkerPool` of containers, one Spark worker each.

    A worker is known to Spark by its container's name, which the network's name service resolves:
    master, workers and drivers have to be in that network. Numbers, and with them names, only grow:
    the master may still list an ended worker under its name. The image's entry point takes the
    class to run and its arguments, as Spark's ``spark-class`` does, and hands SIGPWR on to it
    (``docker/spark``). Containers run without capabilities and never gain any.
    """

    def workers(self) -> tuple[PoolWorker, ...]:
        """All workers, oldest first; those that ended in the last two minutes with alive=False."""
        listed = (self._look_at(found) for found in self._listed())
        return tuple(worker for worker in listed if worker is not None)

    def start(self, count: int, each: Each = untold) -> tuple[PoolWorker, ...]:
        """Start ``count`` more workers; returns at once, before they have registered.

        :param each: called after every started worker.
        :raises PoolError: the image or the network is missing, or the engine refuses.
        """
        self.engine.check_image(self.containers.image)
        self.engine.check_network(self.containers.network, "bridge")
        self._prune()
        started = []
        for _ in range(count):
            started.append(self._launch())
            each(started[-1])
        return tuple(started)

    def drain(self, worker: PoolWorker) -> None:
        """Send the worker the signal to decommission; a second one changes nothing.

        One whose JVM is not up yet ends by it.
        """
        found = self._find(worker.name)
        if found is None or not _is_up(found):
            return
        from docker.errors import APIError

        with self.engine.doing(f"drain {worker.name}") as client:
            try:
                told = self._draining_since(found["Id"])
                # The moment is written first: told twice is harmless, told and forgotten is not.
                if told is None:
                    mark = archive({_MARK: b""}, mtime=time.time())
                    client.put_archive(found["Id"], _MARK_FOLDER, mark)
                elif time.time() - told <= SIGNAL_AGAIN_S:
                    return
                client.kill(found["Id"], signal=signal.SIGPWR.value)
            except APIError as error:
                if not _is_gone(error):
                    raise

    def stop(self, worker: PoolWorker) -> None:
        """End the worker with its executors now, by force if it does not go in ten seconds."""
        found = self._find(worker.name)
        if found is not None:
            self._stop(found)

    def stop_all(self) -> None:
        """End every worker of this pool and remove what is left of all."""
        for found in self._listed():
            self._remove(found, force=True)

    def last_words(self, worker: PoolWorker) -> str:
        """The last line of the worker's log that does not belong to a stack trace."""
        found = self._find(worker.name)
        if found is None:
            return "its container is gone, and its log with it"
        with self.engine.doing(f"read the log of {worker.name}") as client:
            log = client.logs(found["Id"], tail=LOG_LINES)
            state = client.inspect_container(found["Id"])["State"]
        if state.get("OOMKilled"):
            return f"it took more memory than its container's {self.containers.memory_mb} MiB"
        return last_said(log) or state.get("Error") or "it has logged nothing"

    def _listed(self) -> list[dict[str, Any]]:
        """The pool's containers as the engine lists them, by number."""
        with self.engine.doing("list workers") as client:
            found = client.containers(
                all=True, filters={"label": [f"{POOL_LABEL}={self.name}", WORKER_LABEL]}
            )
        # A Swarm's worker of the same pool's name, left by a connection that had pool swarm.
        own = [f for f in found if _number(f) is not None and _SWARM_LABEL not in f["Labels"]]
        return sorted(own, key=lambda f: _number(f) or 0)

    def _find(self, name: str) -> dict[str, Any] | None:
        return next((found for found in self._listed() if _name(found) == name), None)

    def _look_at(self, found: dict[str, Any]) -> PoolWorker | None:
        """The worker of a container, None when it ended long ago."""
        from docker.errors import NotFound

        with self.engine.doing(f"look at {_name(found)}") as client:
            try:
                state = client.inspect_container(found["Id"])["State"]
            except NotFound:
                return None
        alive = _is_up({"State": state["Status"]})
        if not alive and time.time() - _ended_at(found, state) > LISTED_AFTER_END_S:
            return None
        return PoolWorker(
            name=_name(found),
            host=_name(found),
            alive=alive,
            started_at=moment(state["StartedAt"]) or found["Created"],
            draining_since=self._draining_since(found["Id"]),
        )

    def _launch(self) -> PoolWorker:
        container, name = self._create()
        try:
            with self.engine.doing(f"start {name}") as client:
                if self.secret is not None:
                    auth = {AUTH_FILE: auth_properties(self.secret).encode()}
                    client.put_archive(container, "/", archive(auth, mode=0o400))
                client.start(container)
        except PoolError:
            self._remove({"Id": container, "Names": [f"/{name}"]}, force=True)
            raise
        return PoolWorker(name=name, host=name, alive=True, started_at=time.time())

    def _create(self) -> tuple[str, str]:
        """A new container (id, name) with the next free number; its name is taken by nobody."""
        from docker.errors import APIError

        def create(name: str, number: int) -> tuple[str, str] | None:
            with self.engine.doing(f"create {name}") as client:
                try:
                    made = client.create_container(**self._description(name, number))
                except APIError as error:
                    if error.status_code == 409:
                        return None
                    raise
            return made["Id"], name

        newest = max((_number(found) or 0 for found in self._listed()), default=0)
        return self._under_free_name(newest, create)

    def _description(self, name: str, number: int) -> dict[str, Any]:
        """What `docker.APIClient.create_container` makes a worker of."""
        limits = self.containers
        return {
            "image": limits.image,
            "name": name,
            "hostname": name,
            "command": [
                *(WORKER_CLASS, "--host", name),
                *("--cores", str(self.cores), "--memory", f"{self.memory_mb}m"),
                *(() if self.secret is None else ("--properties-file", AUTH_FILE)),
                self.master_url,
            ],
            "environment": ENVIRONMENT,
            "labels": {POOL_LABEL: self.name, WORKER_LABEL: str(number)},
            "host_config": self.engine.client.create_host_config(
                network_mode=limits.network,
                nano_cpus=round(limits.cpus * 1e9),
                mem_limit=f"{limits.memory_mb}m",
                memswap_limit=f"{limits.memory_mb}m",
                pids_limit=PROCESSES,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
            ),
        }

    def _draining_since(self, container: str) -> float | None:
        from docker.errors import NotFound

        with self.engine.doing("see which workers drain") as client:
            try:
                content, stat = client.get_archive(container, f"{_MARK_FOLDER}/{_MARK}")
            except NotFound:
                return None
            content.close()
        return moment(stat["mtime"])

    def _stop(self, found: dict[str, Any]) -> None:
        from docker.errors import APIError

        with self.engine.doing(f"stop {_name(found)}") as client:
            try:
                client.stop(found["Id"], timeout=_GRACE_S)
            except APIError as error:
                if not _is_gone(error):
                    raise

    def _remove(self, found: dict[str, Any], *, force: bool = False) -> None:
        from docker.errors import APIError

        with self.engine.doing(f"remove {_name(found)}") as client:
            try:
                client.remove_container(found["Id"], v=True, force=force)
            except APIError as error:
                if not _is_gone(error):
                    raise

    def _prune(self) -> None:
        """Remove the containers of workers that ended long ago; the last few stay for their logs.

        The newest always stays, or its number would be given away again.
        """
        listed = {worker.name for worker in self.workers()}
        old = [found for found in self._listed() if _name(found) not in listed]
        for found in old[:-LOGS_KEPT]:
            self._remove(found)


def make_pool(config: PoolConfig[DockerSettings]) -> DockerWorkerPool:
    """The pool of a connection with pool ``docker``."""
    settings = config.settings
    return DockerWorkerPool(
        config.master,
        config.name,
        settings.containers,
        cores=settings.worker_cores,
        memory_mb=settings.worker_memory_mb,
        secret=config.secret,
    )


def _name(found: dict[str, Any]) -> str:
    # A container that others link to has further names, "/other/alias".
    return str(next(name for name in found["Names"] if name.count("/") == 1)).removeprefix("/")


def _number(found: dict[str, Any]) -> int | None:
    return number_in(found["Labels"])


def _is_up(found: dict[str, Any]) -> bool:
    return found["State"] in ("running", "paused", "restarting")


def _is_gone(error: Any) -> bool:
    """Whether the engine refused because the container has ended or is being removed."""
    return error.status_code in (304, 404, 409)


def _ended_at(found: dict[str, Any], state: dict[str, Any]) -> float:
    return moment(state["FinishedAt"]) or float(found["Created"])
