"""Several applications on one cluster: the workers of each, and the sum of their targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kitwai.core.records.observation import Application, Observation


def workers_of(application: Application, observation: Observation) -> tuple[int, int]:
    """How many of the present workers are the application's, and how many of them start.

    An application that runs alone or shows no executor has all workers. Another application has
    the workers on which it has an executor.
    """
    serving, starting = observation.serving_for(application) or (), len(observation.starting)
    if len(observation.applications or ()) > 1 and application.executors:
        starting = 0
    return len(serving) + starting, starting


@dataclass(frozen=True, slots=True)
class Share:
    """The ``target`` of one application, and ``own``, its present workers.

    ``held``: the application keeps its workers, because no other count was judged.
    """

    target: int
    own: int
    held: bool

    @classmethod
    def of(cls, application: Application, target: int, own: int, *, judged: bool) -> Share:
        """:param judged: whether the target was weighed against others."""
        waits = not application.executors and not any(
            stage.active or stage.complete for stage in application.stages or ()
        )
        # The workers of an application that waits for an executor are not its own.
        return cls(target, own, target <= max(1, own) and (waits or not judged))


def cluster_target(shares: Sequence[Share], present: int) -> int:
    """The sum of the targets, in which no worker counts twice that nobody has asked for.

    An application that is held keeps its workers. Where these are not known, or where it waits for
    an executor, it holds every worker. Several such applications would add up to more workers than
    there are, so they share what the present count leaves. Only workers that the others want beyond
    their own come on top.
    """
    asked = [share for share in shares if not share.held]
    wanted = sum(share.target for share in asked)
    more = sum(max(0, share.target - share.own) for share in asked)
    held = sum(share.target for share in shares if share.held)
    return max(wanted, min(wanted + held, max(1, present) + more))
