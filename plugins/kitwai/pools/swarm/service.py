"""How a worker of pool `swarm` stands in the manager's answers: its service and its newest task."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from kitwai.core.records.observation import PoolWorker
from kitwai.pools.containers import moment, number_in

SINCE_LABEL = "kitwai.draining-since"
HOST_LABEL = "kitwai.host"

UP = ("starting", "running")
_ENDED = ("complete", "shutdown", "failed", "rejected", "remove", "orphaned")
NANOSECONDS = 10**9
"""In a second: the manager's unit, of processors too."""

_FORCE_S = 30.0
"""More than Swarm needs to end a task by force and to tell of it."""


@dataclass(frozen=True, slots=True)
class WorkerService:
    """A worker's service as the manager lists it, and its newest task."""

    service: dict[str, Any]
    task: dict[str, Any] | None

    @property
    def id(self) -> str:
        """The service's."""
        return str(self.service["ID"])

    @property
    def labels(self) -> dict[str, str]:
        """The service's."""
        labels: dict[str, str] = self.service["Spec"].get("Labels") or {}
        return labels

    @property
    def name(self) -> str:
        """The worker's, which is its service's."""
        return str(self.service["Spec"]["Name"])

    @property
    def number(self) -> int | None:
        """The worker's, None where the service is none of a pool's."""
        return number_in(self.labels)

    @property
    def told(self) -> bool:
        """Whether Swarm was told to end it."""
        return not self.service["Spec"]["Mode"]["Replicated"]["Replicas"]

    @property
    def state(self) -> str:
        """The task's; of a service that has none yet "new", of one that has none left "remove"."""
        if self.task is None:
            return "remove" if self.told else "new"
        return str(self.task["Status"]["State"])

    @property
    def alive(self) -> bool:
        """Whether the task has not ended.

        Of a host that is lost Swarm goes on to say for a day that its tasks run.
        """
        return self.state not in _ENDED and not self._given_up

    @property
    def _given_up(self) -> bool:
        """Its host should have ended it by force a while ago."""
        return self.told and time.time() > self._told_at + self.grace_s + _FORCE_S

    @property
    def _told_at(self) -> float:
        return moment(self.service["UpdatedAt"]) or self.created_at

    @property
    def host(self) -> str:
        """The worker's address in the network; its name until it has one."""
        for attachment in (self.task or {}).get("NetworksAttachments") or ():
            for address in attachment.get("Addresses") or ():
                return str(address).partition("/")[0]
        return self.labels.get(HOST_LABEL, self.name)

    @property
    def created_at(self) -> float:
        """Epoch seconds."""
        return moment(self.service["CreatedAt"]) or 0.0

    @property
    def draining_since(self) -> float | None:
        """When it was told to leave, epoch seconds; None where it was not."""
        try:
            return float(self.labels[SINCE_LABEL])
        except (KeyError, ValueError):
            return self._told_at if self.told else None

    @property
    def ended_at(self) -> float:
        """When it ended, epoch seconds; means nothing while it is alive.

        Swarm forgets when a worker that it stopped was gone; the end of its grace period counts.
        """
        if self.task is not None and self.state in _ENDED:
            return moment(self.task["Status"]["Timestamp"]) or self.created_at
        return self._told_at + self.grace_s

    @property
    def grace_s(self) -> float:
        """What Swarm lets it take to end before it uses force."""
        container = self.service["Spec"]["TaskTemplate"]["ContainerSpec"]
        return float(container.get("StopGracePeriod") or 0) / NANOSECONDS

    @property
    def worker(self) -> PoolWorker:
        """What a pool tells of it."""
        return PoolWorker(
            name=self.name,
            host=self.host,
            alive=self.alive,
            started_at=self.created_at,
            draining_since=self.draining_since,
        )
