"""Several applications on one cluster: which workers each of them has, and the sum of targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kitwai.core.records.observation import Application, Observation


def workers_of(application: Application, observation: Observation) -> tuple[int, int]:
    """How many of the present workers are the application's, and how many of those start: all where
    it runs alone or shows no executor, else those on which it has one.
    """
    serving, starting = observation.serving_for(application) or (), len(observation.starting)
    if len(observation.applications or ()) > 1 and application.executors:
        starting = 0
    return len(serving) + starting, starting


@dataclass(frozen=True, slots=True)
class Share:
    """What one application asks for: its ``target``, and ``own``, the present workers that it has.

    ``held``: it keeps what it has, as nothing was said of other counts.
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
        # In line for an executor, what it was judged with is not its own.
        return cls(target, own, target <= max(1, own) and (waits or not judged))


def cluster_target(shares: Sequence[Share], present: int) -> int:
    """The sum of the targets, without counting a worker twice that nobody has asked for.

    An application that is held keeps what it has. Where that cannot be told, or where it waits in
    line for an executor, that is every worker, so that several would add up to more than are there:
    they share what the present count leaves, and only what the others ask for beyond their own
    comes on top.
    """
    asked = [one for one in shares if not one.held]
    wanted = sum(one.target for one in asked)
    more = sum(max(0, one.target - one.own) for one in asked)
    held = sum(one.target for one in shares if one.held)
    return max(wanted, min(wanted + held, max(1, present) + more))
