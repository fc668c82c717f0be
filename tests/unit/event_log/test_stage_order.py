"""`event_log.stage_order`: which stages each stage waited for."""

from __future__ import annotations

import pytest

from event_writer import executor, job, submitted, task, write
from kitwai.event_log.reader import read_event_log
from kitwai.event_log.to_profile import profile_of
from read_logs_of import EVENTS, as_log, outcome


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_the_most_tangled_stages_are_read_in_time():
    """1,000 stages that ran, each waiting for all before it by way of stages that never ran."""
    stages, skipped = range(0, 2_000, 2), range(1, 2_000, 2)
    parents = {one: [*range(1, one, 2)] for one in stages} | {one: [one - 1] for one in skipped}
    begin, end = job(0, 2_000, 9_000_000, dict(sorted(parents.items())))
    events = [executor("1", 1_500), begin]
    for one in stages:
        at_ms = 2_000 + 10 * one
        events += [submitted(one, at_ms), task(one, 0, at_ms, at_ms + 15)]
    log = outcome(as_log([*EVENTS[:3], *events, end, EVENTS[-1]]))
    assert len(log.profile.stages[-1].parents) == 999


def profile(path, *events, **more):
    return profile_of(read_event_log(write(path, *events, **more)), source="test")


def test_parents_that_never_ran_give_way_to_their_ancestors(tmp_path):
    begin, end = job(0, 2_000, 9_000, {0: [], 1: [0], 2: [1, 7], 7: []})
    tasks = [task(0, 0, 2_100, 3_000), task(2, 0, 3_100, 4_000)]
    found = profile(tmp_path / "log", executor("1", 1_500), begin, *tasks, end)
    assert {stage.id: stage.parents for stage in found.stages} == {0: (), 2: (0,)}


def test_jobs_that_overlap_wait_for_what_had_ended(tmp_path):
    """As adaptive execution submits a query: each stage a job, parents renumbered."""
    jobs = [
        job(0, 2_000, 3_000, {0: []}),
        job(1, 2_010, 5_000, {1: []}),
        job(2, 3_100, 4_000, {3: [2], 2: []}),
        job(3, 5_100, 6_000, {6: [4, 5], 4: [], 5: []}),
    ]
    found = profile(
        tmp_path / "log",
        executor("1", 1_500, 4),
        *(begin for begin, _ in jobs),
        *(submitted(0, 2_001), submitted(1, 2_011), submitted(3, 3_101), submitted(6, 5_101)),
        task(0, 0, 2_050, 3_000),
        task(1, 0, 2_050, 5_000),
        task(3, 0, 3_150, 4_000),
        task(6, 0, 5_150, 6_000),
        *(end for _, end in jobs),
    )
    parents = {stage.id: stage.parents for stage in found.stages}
    # Stage 6 came when nothing overlapped any more: it waits for all that nothing had joined.
    assert parents == {0: (), 1: (), 3: (0,), 6: (1, 3)}
    assert [stage.gap_ms for stage in found.stages if stage.id in (3, 6)] == [150, 150]
