"""Several applications on one cluster: which workers each of them has, and the sum of targets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kitwai.core.observation import Application, Observation


def workers_of(application: Application, observation: Observation) -> tuple[int, int]:
    """How many of the present workers are the application's, and how many of those start: all where
    it runs alone or shows no executor, else those on which it has one.
    """
    serving, starting = observation.serving_for(application) or (), len(observation.starting)
    if len(observation.applications or ()) > 1 and application.executors:
        starting = 0
    return len(serving) + starting, starting


def waits_in_line(application: Application) -> bool:
    """Whether it has no executor yet, and no task of it has begun."""
    begun = any(stage.active or stage.complete for stage in application.stages or ())
    return not application.executors and not begun


def cluster_target(asked: Sequence[tuple[int, int]], held: Iterable[int], present: int) -> int:
    """The sum of the targets, without counting a worker twice that nobody has asked for.

    An application that is held keeps what it has. Where that cannot be told, or where it waits in
    line for an executor, that is every worker, so that several would add up to more than are there:
    they share what the present count leaves, and only what the others ask for beyond their own
    comes on top.

    :param asked: target and present workers of each application that asks for its target;
        ``held``: the target of each that is held.
    """
    wanted = sum(target for target, _ in asked)
    more = sum(max(0, target - own) for target, own in asked)
    return max(wanted, min(wanted + sum(held), max(1, present) + more))
