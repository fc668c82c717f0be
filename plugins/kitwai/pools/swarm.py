"""A pool of Spark workers as services of a Docker Swarm, one service a worker.

One service with as many replicas as workers would be shorter, but Swarm chooses which replica
goes, and a worker that holds blocks must be chosen by us. A service of its own has one replica
that is never restarted; scaling it to none is the order to leave, for this worker alone.

Everything goes through a manager's API, whichever host a worker runs on. That API has one way to
reach into a running container: the signal that Swarm sends before it stops one. So this signal is
SIGPWR, which decommissions a Spark worker, and the grace period in which Swarm waits for the
container's end is the time to drain. It runs on the worker's host: a drain ends, by force at last,
also when neither Kitwai nor the manager is there to see it. What it costs: a worker cannot be
ended by force before its grace period is over.

The Swarm is the truth. A service belongs to the pool by its labels ``kitwai.pool`` (the pool's
name) and ``kitwai.worker`` (its number); in the update that scales it to none it gets
``kitwai.draining-since`` (epoch seconds) and ``kitwai.host``, for Swarm forgets stopped tasks.
Other services are never touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kitwai.core.observation import PoolWorker
from kitwai.errors import PoolError
from kitwai.pools.base import Each, untold
from kitwai.pools.container import (
    ENVIRONMENT,
    LOG_LINES,
    POOL_LABEL,
    PROCESSES,
    WORKER_LABEL,
    ContainerPool,
    moment,
    number_in,
)
from kitwai.pools.worker import (
    DRAIN_TIMEOUT_S,
    LISTED_AFTER_END_S,
    LOGS_KEPT,
    WORKER_CLASS,
    last_said,
)
from kitwai.sandbox.containers import USER_ID
from kitwai.sandbox.spark import auth_properties

if TYPE_CHECKING:
    from kitwai.connection import ContainerConfig

SINCE_LABEL = "kitwai.draining-since"
HOST_LABEL = "kitwai.host"

_ENDED = ("complete", "shutdown", "failed", "rejected", "remove", "orphaned")
_UP = ("starting", "running")
_PLACED_S = 10.0
"""Swarm gives a new task its address within a second; after so many it is left to the next look."""
_STOP_S = 20.0
"""So long `SwarmWorkerPool.stop` waits for a worker with nothing to hand on."""
_POLL_S = 0.2
_UPDATES = 5
_AUTH_FILE = "kitwai-auth.conf"
_NS = 10**9


@dataclass(frozen=True, slots=True)
class _Found:
    """A worker's service as the manager lists it, and its newest task."""

    service: dict[str, Any]
    task: dict[str, Any] | None

    @property
    def id(self) -> str:
        return str(self.service["ID"])

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.service["Spec"].get("Labels") or {}
        return labels

    @property
    def name(self) -> str:
        return str(self.service["Spec"]["Name"])

    @property
    def number(self) -> int | None:
        return number_in(self.labels)

    @property
    def told(self) -> bool:
        """Whether it was told to leave."""
        return not self.service["Spec"]["Mode"]["Replicated"]["Replicas"]

    @property
    def state(self) -> str:
        """The task's; of a service that has none yet "new", of one that has none left "remove"."""
        if self.task is None:
            return "remove" if self.told else "new"
        return str(self.task["Status"]["State"])

    @property
    def alive(self) -> bool:
        return self.state not in _ENDED

    @property
    def host(self) -> str:
        """The worker's address in the network; its name until it has one."""
        for attachment in (self.task or {}).get("NetworksAttachments") or ():
            for address in attachment.get("Addresses") or ():
                return str(address).partition("/")[0]
        return self.labels.get(HOST_LABEL, self.name)

    @property
    def created_at(self) -> float:
        return moment(self.service["CreatedAt"]) or 0.0

    @property
    def draining_since(self) -> float | None:
        try:
            return float(self.labels[SINCE_LABEL])
        except (KeyError, ValueError):
            return moment(self.service["UpdatedAt"]) if self.told else None

    @property
    def worker(self) -> PoolWorker:
        return PoolWorker(
            name=self.name,
            host=self.host,
            alive=self.alive,
            started_at=self.created_at,
            draining_since=self.draining_since,
        )


class SwarmWorkerPool(ContainerPool):
    """`kitwai.pools.base.WorkerPool` of Swarm services, one Spark worker each.

    A worker is known to Spark by its address in the network, an overlay in which master, workers
    and drivers are: Swarm takes the *name* of a task that it stops out of the name service at once,
    but others still fetch blocks from it. The image's ``swarm-worker`` (``docker/engine``) runs the
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
    ) -> None:
        """As `ContainerPool`, and :param grace_s: seconds that a worker started by this object may
        take to drain. The secret becomes one of the Swarm's.
        """
        super().__init__(master_url, name, containers, cores, memory_mb, secret)
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
        """Tell the worker to leave; a second time changes nothing.

        One whose JVM is not up yet ends by it.
        """
        found = self._find(worker.name)
        if found is not None:
            self._tell(found)

    def stop(self, worker: PoolWorker) -> None:
        """End the worker, and wait for its end where it has nothing to hand on.

        :raises PoolError: it has, or it hangs; Swarm ends it when its grace period is over.
        """
        found = self._find(worker.name)
        if found is None:
            return
        self._tell(found)
        until = time.monotonic() + _STOP_S
        while (found := self._find(worker.name)) is not None and found.alive:
            if time.monotonic() > until:
                raise PoolError(
                    f"{worker.name} has not ended yet: Swarm ends it by force at the latest "
                    f"{self._grace_of(found):.0f} s after it was told to leave."
                )
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
        if found.task is None or found.state not in (*_UP, "complete", "failed"):
            return f"Swarm says: {found.state}{': ' if why else ''}{why}"
        with self.engine.doing(f"read the log of {worker.name}") as client:
            log = client.service_logs(
                found.id, stdout=True, stderr=True, tail=LOG_LINES, is_tty=False
            )
            said = last_said(b"".join(log))
        return said or why or "it has logged nothing"

    def _listed(self) -> list[_Found]:
        """The pool's services with their newest tasks, by number."""
        with self.engine.doing("list workers") as client:
            services = client.services(filters={"label": [f"{POOL_LABEL}={self.name}"]})
        tasks = {task["ServiceID"]: task for task in self._tasks()} if services else {}
        listed = [_Found(service, tasks.get(service["ID"])) for service in services]
        own = [
            f for f in listed if f.number is not None and "Replicated" in f.service["Spec"]["Mode"]
        ]
        return sorted(own, key=lambda found: found.number or 0)

    def _tasks(self) -> list[dict[str, Any]]:
        """The tasks of the pool's services, those that were just removed included; oldest first."""
        with self.engine.doing("list the tasks of workers") as client:
            tasks = client.tasks(filters={"label": [f"{POOL_LABEL}={self.name}", WORKER_LABEL]})
        return sorted(tasks, key=lambda task: str(task["CreatedAt"]))

    def _find(self, name: str) -> _Found | None:
        return next((found for found in self._listed() if found.name == name), None)

    def _is_listed(self, found: _Found) -> bool:
        if found.alive:
            return True
        if found.task is not None:
            ended = moment(found.task["Status"]["Timestamp"]) or found.created_at
        else:
            ended = (found.draining_since or found.created_at) + self._grace_of(found)
        return time.time() - ended <= LISTED_AFTER_END_S

    @staticmethod
    def _grace_of(found: _Found) -> float:
        container = found.service["Spec"]["TaskTemplate"]["ContainerSpec"]
        return float(container.get("StopGracePeriod") or 0) / _NS

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
            "Limits": {**memory, "NanoCPUs": round(limits.cpus * _NS), "Pids": PROCESSES},
            "Reservations": {**memory, "NanoCPUs": round(limits.reserved_cpus * _NS)},
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
            stop_grace_period=round(self.grace_s * _NS),
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

    def _tell(self, found: _Found | None) -> None:
        """Scale the worker's service to none, unless that was done already."""
        from docker.errors import APIError

        for _ in range(_UPDATES):
            if found is None or found.told:
                return
            labels = {HOST_LABEL: found.host, SINCE_LABEL: f"{time.time():.3f}"}
            with self.engine.doing(f"drain {found.name}") as client:
                try:
                    client.update_service(
                        found.id,
                        found.service["Version"]["Index"],
                        mode={"Replicated": {"Replicas": 0}},
                        labels=found.labels | labels,
                        fetch_current_spec=True,
                    )
                    return
                except APIError as error:
                    # Somebody changed or removed it since it was read.
                    if "out of sequence" not in str(error) and error.status_code != 404:
                        raise
            found = self._find(found.name)
        raise PoolError("The worker's service was changed again and again by others.")

    def _remove(self, found: _Found) -> None:
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
