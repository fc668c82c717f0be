"""Finds the stages that each stage of an application waited for when it ran.

A set of stages is an integer: bit ``n`` stands for the n-th stage in `EventLog.ran`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kitwai.event_log.reader import EventLog


def parents_of(log: EventLog) -> dict[int, tuple[int, ...]]:
    """By stage that ran, the stages that ran and that it waits for.

    Without any, the stage waits for the end of all jobs that ran before its own.
    """
    ran = log.ran
    together = _overlapping_jobs(log)
    ancestors = _ran_before(log)
    ends = [stage.end_ms for stage in ran]
    parents: list[int] = []
    current, before, inside = None, 0, 0
    for position, stage in enumerate(ran):
        if together[stage.job] != current:
            # Last stages that no stage joined must be named, or they would count as a sequence.
            open_ends = _last(inside, parents)
            before = open_ends if open_ends.bit_count() > 1 else 0
            current, inside = together[stage.job], 0
        near = ancestors[stage.id] & inside
        if not near:
            ended = 0
            for earlier in _members(inside):
                if ran[earlier].job != stage.job and ends[earlier] <= stage.began_ms:
                    ended |= 1 << earlier
            near = _last(ended, parents)
        parents.append(near or before)
        inside |= 1 << position
    return {
        stage.id: tuple(sorted(ran[at].id for at in _members(waits)))
        for stage, waits in zip(ran, parents, strict=True)
    }


def _ran_before(log: EventLog) -> dict[int, int]:
    """By stage, the set of its nearest ancestors that ran."""
    position = {stage.id: at for at, stage in enumerate(log.ran)}
    ancestors: dict[int, int] = {}
    # Parents come before their children: their numbers are lower (see `EventLog`).
    for number in sorted(log.stages):
        near = 0
        for parent in log.stages[number].parents:
            at = position.get(parent)
            near |= ancestors.get(parent, 0) if at is None else 1 << at
        ancestors[number] = near
    return ancestors


def _last(stages: int, parents: Sequence[int]) -> int:
    """The subset of ``stages`` that no other stage of ``stages`` waits for."""
    waited_for = 0
    for position in _members(stages):
        waited_for |= parents[position]
    return stages & ~waited_for


def _members(stages: int) -> Iterator[int]:
    while stages:
        lowest = stages & -stages
        yield lowest.bit_length() - 1
        stages ^= lowest


def _overlapping_jobs(log: EventLog) -> dict[int, int]:
    """By job, the first job with which it overlaps, directly or by way of other jobs."""
    ends = {job.id: job.end_ms or job.submitted_ms for job in log.jobs.values()}
    for stage in log.ran:
        ends[stage.job] = max(ends[stage.job], stage.end_ms)
    group: dict[int, int] = {}
    current, until = -1, -1.0
    for job in sorted(log.jobs.values(), key=lambda job: (job.submitted_ms, job.id)):
        if job.submitted_ms >= until:
            current = job.id
        until = max(until, ends[job.id])
        group[job.id] = current
    return group
