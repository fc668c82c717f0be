"""`core.decide.without_end`: what streams and shells get."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import application, observation, settings, stage
from kitwai.core.decide.cluster import decide


def decided(present: int, *stages, most: int = 10, **changes):
    app = replace(application(*stages, elapsed_s=86_400.0), endless=True, **changes)
    decision = decide(observation(present, app), settings(most, 600.0))
    return decision, decision.applications[0]


OVER = stage(0, tasks=10, complete=10, task_s=5.0, status="COMPLETE")


@pytest.mark.parametrize(
    ("present", "stages", "target", "words"),
    [
        # 5 s a task, 2 slots a worker, a horizon of 2 x 15 s: 12 tasks a worker.
        (2, (OVER, stage(1, tasks=60, active=4)), 5, "56 tasks wait (280 s of work): 5 workers"),
        (2, (OVER, stage(1, tasks=1000, active=4)), 10, "it gets all 10 workers"),
        (5, (OVER, stage(1, tasks=60, active=10)), 5, "held at 5"),
        (5, (OVER, stage(1, tasks=9, active=9)), 5, "held at 5"),
        (5, (OVER, stage(1, tasks=8, active=8)), 4, "one worker fewer"),
        (1, (OVER, stage(1, tasks=1, active=1)), 1, "held at 1"),
        (3, (stage(1, tasks=60, active=6),), 3, "no task of it has finished"),
        (3, (), 3, "no task of it has finished"),
    ],
)
def test_the_backlog_decides(present, stages, target, words):
    decision, one = decided(present, *stages)
    assert (decision.target, one.target, one.limit_source) == (target, target, "none")
    assert words in decision.reason
    assert "has no end and no limit" in decision.reason
    assert one.predicted_finish_s is None
    assert one.limit_s is None


def test_between_batches_its_workers_are_held_for_the_quiet_time():
    for idle_s, target in ((10.0, 4), (31.0, 1)):
        decision, one = decided(4, OVER, idle_s=idle_s)
        assert (decision.target, one.limit_source, one.limit_s) == (target, "none", None)


def test_a_limit_of_its_own_is_its_limit():
    _, one = decided(4, OVER, stage(1, tasks=60, active=4), limit_s=90.0)
    assert (one.limit_source, one.limit_s) == ("application", 90.0)


def test_its_own_most_workers_bind():
    assert decided(2, OVER, stage(1, tasks=1000), max_workers=3)[0].target == 3


def test_beside_one_with_a_limit_each_gets_its_own_target():
    stream = replace(application(OVER, stage(1, tasks=60), name="stream"), endless=True)
    batch = application(stage(0, tasks=40, complete=10), name="batch", limit_s=300.0)
    decision = decide(observation(2, stream, batch), settings(10, 600.0))
    assert [one.limit_source for one in decision.applications] == ["none", "application"]
    assert decision.target == sum(one.target for one in decision.applications)
    assert "stream (app-stream): 5" in decision.reason
