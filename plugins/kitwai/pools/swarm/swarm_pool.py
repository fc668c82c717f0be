"""A pool of Spark workers as services of a Docker Swarm, one service a worker.

One service with as many replicas as workers would be shorter, but Swarm chooses which replica
goes, and a worker that holds blocks must be chosen by us. A service of its own has one replica
that is never restarted; scaling it to none is the order to leave, for this worker alone.

Everything goes through a manager's API, whichever host a worker runs on. That API has one way to
reach into a running container: the signal that Swarm sends before it stops one. So a worker is
decommissioned by its master, and told to end when nobody needs it any more.

Where the master does not let others do that, and where an operator empties a host, Swarm's signal
has to serve for both: it is SIGPWR, which decommissions a Spark worker, and the grace period in
which Swarm waits for the container's end is the time to drain. What that costs: a worker cannot be
ended by force before its grace period is over.

The Swarm is the truth. A service belongs to the pool by its labels ``kitwai.pool`` (the pool's
name) and ``kitwai.worker`` (its number); one that is to leave gets ``kitwai.draining-since`` (epoch
seconds) and ``kitwai.host``, for Swarm forgets stopped tasks. Other services are never touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from kitwai.config.pools import PoolConfig
from kitwai.config.pools.docker import ContainerConfig
from kitwai.config.pools.swarm import SwarmSettings
from kitwai.core.records.observation import PoolWorker
from kitwai.errors import PoolError
from kitwai.pools.base import Each, untold
from kitwai.pools.containers import (
    ENVIRONMENT,
    LOG_LINES,
    POOL_LABEL,
    PROCESSES,
    USER_ID,
    WORKER_LABEL,
    ContainerPool,
)
from kitwai.pools.decommission import decommission
from kitwai.pools.spark_options import auth_properties
from kitwai.pools.swarm.service import HOST_LABEL, NANOSECONDS, SINCE_LABEL, UP, WorkerService
from kitwai.pools.worker import (
    DRAIN_TIMEOUT_S,
    LISTED_AFTER_END_S,
    LOGS_KEPT,
    WORKER_CLASS,
    last_said,
)

_PLACED_S = 3.0
"""Swarm gives a new task its address within a second; after so many it is left to the next look."""
_STOP_S = 20.0
"""So long `SwarmWorkerPool.stop` waits for a worker with nothing to hand on."""
_POLL_S = 0.2
_UPDATES = 5
_AUTH_FILE = "kitwai-auth.conf"


class SwarmWorkerPool(ContainerPool):
    """`kitwai.pools.base.WorkerPool` of Swarm services, one Spark worker each.

    A worker is known to Spark by its address in the network, an overlay in which master, workers
    and drivers are: Swarm takes the *name* of a task that it stops out of the name service at once,
    but others still fetch blocks from it. The image's ``swarm-worker`` (``docker/spark``) runs the
    worker and ends it when it was decommissioned and its executors are gone. Where a worker runs is
    Swarm's choice; it sets the container's memory and cores aside there.
    """

    def __init__(
        self,
        master_url: str,
        name: str,
        containers: ContainerConfig,
        cores: int = 2,
        memory_mb: int = 1024,
        grace_s: float = DRAIN_TIMEOUT_S,
        secret: str | None = None,
        web_url: str | None = None,
    ) -> None:
        """As `ContainerPool`. The secret becomes one of the Swarm's.

        :param grace_s: seconds that Swarm lets a worker started by this object take to end.
        :param web_url: the master's web UI, None to leave decommissioning to Swarm's signal.
        """
        super().__init__(master_url, name, containers, cores, memory_mb, secret)
        self.web_url = web_url
        self.grace_s = grace_s

    def workers(self) -> tuple[PoolWorker, ...]:
        """All workers, oldest first; ended ones with alive=False for two minutes and more.

        Swarm forgets when a worker that it stopped was gone; the end of its grace period counts.
        """
        return tuple(found.worker for found in self._listed() if self._is_listed(found))

    def start(self, count: int, each: Each = untold) -> tuple[PoolWorker, ...]:
        """Start ``count`` more workers; returns before they have registered.

        :param each: called after every created service, before its worker has an address: its host
            is its name then.
        :raises PoolError: there is no Swarm, no such image or network, or the manager refuses.
        """
        self.engine.check_swarm()
        self.engine.check_image(self.containers.image)
        self.engine.check_network(self.containers.network, "overlay")
        self._prune()
        names = []
        for _ in range(count):
            name = self._create()
            names.append(name)
            each(PoolWorker(name=name, host=name, alive=True, started_at=time.time()))
        until = time.monotonic() + _PLACED_S
        while True:
            started = [found for found in self._listed() if found.name in names]
            if all(found.host != found.name for found in started) or time.monotonic() > until:
                return tuple(found.worker for found in started)
            time.sleep(_POLL_S)

    def drain(self, worker: PoolWorker) -> None:
        """Tell the worker to hand on what it has; a second time changes nothing.

        By its master; where that does not do it, by Swarm, which ends the worker as soon as its
        executors are gone. One whose JVM is not up yet ends by it.
        """
        found = self._mark(worker.name, end=False)
        if found is not None and not (self.web_url and decommission(self.web_url, found.host)):
            self._mark(worker.name, end=True)

    def stop(self, worker: PoolWorker) -> None:
        """End the worker, and wait for its end where it has nothing to hand on.

        One that was told to drain before is only told to end, so that all that leave end at once;
        the next call waits for it. Where it still has something, or hangs, Swarm ends it by force
        when its grace period is over, and this returns earlier.
        """
        found = self._mark(worker.name, end=True)
        if found is not None and found.draining_since is not None:
            return
        until = time.monotonic() + _STOP_S
        while (found := self._find(worker.name)) is not None and found.alive:
            if time.monotonic() > until:
                return
            time.sleep(_POLL_S)

    def stop_all(self) -> None:
        """End every worker of this pool, within the grace period at the latest, and forget all."""
        for found in self._listed():
            self._remove(found)
        self._remove_secrets(lambda _: True)
        until = time.monotonic() + self.grace_s + _STOP_S
        while self._tasks() and time.monotonic() < until:
            time.sleep(_POLL_S)

    def last_words(self, worker: PoolWorker) -> str:
        """The last line of the worker's log that does not belong to a stack trace."""
        found = self._find(worker.name)
        if found is None:
            return "its service is gone, and its log with it"
        why = ((found.task or {}).get("Status") or {}).get("Err", "")
        if found.task is None or found.state not in (*UP, "complete", "failed"):
            return f"Swarm says: {found.state}{': ' if why else ''}{why}"
        with self.engine.doing(f"read the log of {worker.name}") as client:
            log = client.service_logs(
                found.id, stdout=True, stderr=True, tail=LOG_LINES, is_tty=False
            )
            said = last_said(b"".join(log))
        return said or why or "it has logged nothing"

    def _listed(self) -> list[WorkerService]:
        """The pool's services with their newest tasks, by number."""
        with self.engine.doing("list workers") as client:
            services = client.services(filters={"label": [f"{POOL_LABEL}={self.name}"]})
        tasks = {task["ServiceID"]: task for task in self._tasks()} if services else {}
        listed = [WorkerService(service, tasks.get(service["ID"])) for service in services]
        own = [
            f for f in listed if f.number is not None and "Replicated" in f.service["Spec"]["Mode"]
        ]
        return sorted(own, key=lambda found: found.number or 0)

    def _tasks(self) -> list[dict[str, Any]]:
        """The tasks of the pool's services, those that were just removed included; oldest first."""
        with self.engine.doing("list the tasks of workers") as client:
            tasks = client.tasks(filters={"label": [f"{POOL_LABEL}={self.name}", WORKER_LABEL]})
        return sorted(tasks, key=lambda task: str(task["CreatedAt"]))

    def _find(self, name: str) -> WorkerService | None:
        return next((found for found in self._listed() if found.name == name), None)

    def _is_listed(self, found: WorkerService) -> bool:
        if found.alive:
            return True
        return time.time() - found.ended_at <= LISTED_AFTER_END_S

    def _create(self) -> str:
        """A new service with the next free number; returns its name, which nobody else has."""
        from docker.errors import APIError

        def create(name: str, number: int) -> str | None:
            labels = {POOL_LABEL: self.name, WORKER_LABEL: str(number)}
            with self.engine.doing(f"create the service {name}") as client:
                secret = None
                try:
                    if self.secret is not None:
                        data = auth_properties(self.secret).encode()
                        secret = client.create_secret(name, data, labels=labels)["ID"]
                    client.create_service(**self._description(name, labels, secret))
                except APIError as error:
                    if secret is not None:
                        client.remove_secret(secret)
                    if error.status_code == 409:
                        return None
                    raise
            return name

        newest = max((found.number or 0 for found in self._listed()), default=0)
        return self._under_free_name(newest, create)

    def _description(self, name: str, labels: dict[str, str], secret: str | None) -> dict[str, Any]:
        """What `docker.APIClient.create_service` makes a worker of.

        :param secret: id of the Swarm secret that holds the worker's properties file.
        """
        from docker.types import (
            ContainerSpec,
            EndpointSpec,
            RestartPolicy,
            SecretReference,
            ServiceMode,
        )

        limits = self.containers
        owner = str(USER_ID)
        mounted = [
            SecretReference(secret, name, _AUTH_FILE, uid=owner, gid=owner, mode=0o400)
            for secret in [secret]
            if secret is not None
        ]
        memory = {"MemoryBytes": limits.memory_mb << 20}
        resources = {
            "Limits": {**memory, "NanoCPUs": round(limits.cpus * NANOSECONDS), "Pids": PROCESSES},
            "Reservations": {**memory, "NanoCPUs": round(limits.reserved_cpus * NANOSECONDS)},
        }
        container = ContainerSpec(
            image=limits.image,
            command=["tini", "--", "swarm-worker"],
            args=[
                *(WORKER_CLASS, "--cores", str(self.cores), "--memory", f"{self.memory_mb}m"),
                *(("--properties-file", f"/run/secrets/{_AUTH_FILE}") if mounted else ()),
                self.master_url,
            ],
            secrets=mounted,
            hostname=name,
            env=ENVIRONMENT,
            labels=labels,
            stop_signal="SIGPWR",
            stop_grace_period=round(self.grace_s * NANOSECONDS),
            cap_drop=["ALL"],
            # Older engines do not know it and pass it over.
            privileges={"NoNewPrivileges": True},
            # Until it is healthy, Swarm would hide a task's address and call it starting.
            healthcheck={"Test": ["NONE"]},
        )
        return {
            "name": name,
            "labels": labels,
            "mode": ServiceMode("replicated", replicas=1),
            # A virtual address would answer for the worker.
            "endpoint_spec": EndpointSpec(mode="dnsrr"),
            "task_template": {
                "ContainerSpec": container,
                "Resources": resources,
                "RestartPolicy": RestartPolicy(condition="none"),
                "Networks": [{"Target": limits.network}],
            },
        }

    def _mark(self, name: str, *, end: bool) -> WorkerService | None:
        """Note that the worker leaves, and with ``end`` scale its service to none.

        :returns: the worker, None where it is gone or was told to end before.
        """
        from docker.errors import APIError

        for _ in range(_UPDATES):
            found = self._find(name)
            if found is None or found.told:
                return None
            if found.draining_since is not None and not end:
                return found
            since = {HOST_LABEL: found.host, SINCE_LABEL: f"{time.time():.3f}"}
            spec = found.service["Spec"]
            with self.engine.doing(f"drain {name}") as client:
                try:
                    client.update_service(
                        found.id,
                        found.service["Version"]["Index"],
                        name=name,
                        labels=since | found.labels,
                        mode={"Replicated": {"Replicas": 0 if end else 1}},
                        # Exactly as they are: Swarm starts a worker with another spec anew.
                        task_template=spec["TaskTemplate"],
                        endpoint_spec=spec["EndpointSpec"],
                    )
                    return found
                except APIError as error:
                    # Somebody changed or removed it since it was read.
                    if "out of sequence" not in str(error) and error.status_code != 404:
                        raise
        raise PoolError("The worker's service was changed again and again by others.")

    def _remove(self, found: WorkerService) -> None:
        from docker.errors import NotFound

        with self.engine.doing(f"remove the service {found.name}") as client:
            with suppress(NotFound):
                client.remove_service(found.id)
            self._remove_secrets(lambda labels: labels.get(WORKER_LABEL) == str(found.number))

    def _remove_secrets(self, which: Callable[[dict[str, str]], bool]) -> None:
        """Remove the pool's secrets whose labels are such, unless a service still has them."""
        from docker.errors import NotFound

        with self.engine.doing("remove the secrets of workers that are gone") as client:
            for secret in client.secrets(filters={"label": [f"{POOL_LABEL}={self.name}"]}):
                if which(secret["Spec"]["Labels"]):
                    with suppress(NotFound):
                        client.remove_secret(secret["ID"])

    def _prune(self) -> None:
        """Remove the services of workers that ended long ago; the last few stay for their logs.

        The newest always stays, or its number would be given away again.
        """
        old = [found for found in self._listed() if not self._is_listed(found)]
        for found in old[:-LOGS_KEPT]:
            self._remove(found)


def make_pool(config: PoolConfig[SwarmSettings]) -> SwarmWorkerPool:
    """The pool of a connection with pool ``swarm``."""
    settings = config.settings
    return SwarmWorkerPool(
        config.master,
        config.name,
        settings.containers,
        cores=settings.worker_cores,
        memory_mb=settings.worker_memory_mb,
        secret=config.secret,
        web_url=config.web_url,
    )
