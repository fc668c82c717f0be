"""Several applications on one cluster: which workers each of them has, and the sum of targets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kitwai.core.observation import Application, Observation


def workers_of(application: Application, observation: Observation, present: int) -> tuple[int, int]:
    """The application's share of the ``present`` workers, and how many of them start: all where it
    runs alone, else those on which it holds an executor, or all when it cannot be told.
    """
    if len(observation.applications or ()) == 1:
        return present, len(observation.starting)
    if not application.executors:
        return present, 0
    return min(present, len({executor.host for executor in application.executors})), 0


def cluster_target(asked: Sequence[tuple[int, int]], held: Iterable[int], present: int) -> int:
    """The sum of the targets, without counting a worker twice that nobody has asked for.

    An application that is held keeps what it has. Where that cannot be told it is every worker, so
    that several of them would add up to more than are there: they share what the present count
    leaves, and only what the others ask for beyond their own comes on top.

    :param asked: target and present workers of each application that asks for its target;
        ``held``: the target of each that is held.
    """
    wanted = sum(target for target, _ in asked)
    more = sum(max(0, target - own) for target, own in asked)
    return max(wanted, min(wanted + sum(held), max(1, present) + more))
