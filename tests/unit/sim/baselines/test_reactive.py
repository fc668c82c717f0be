"""`sim.baselines.reactive`: baselines that follow the load, worked out by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from family_runs import view_of
from kitwai.sim.baselines.reactive import Dataproc, Hpa, pending_tasks
from kitwai.sim.simulator import SimulatorConfig


@pytest.mark.parametrize(
    ("busy", "workers", "serving", "want"),
    [
        (0.70, 4, 4, 4),
        (0.75, 4, 4, 4),  # within the tolerance
        (1.00, 4, 4, 6),  # 4 * 1 / 0.7 = 5.7
        (1.00, 6, 4, 6),  # those that start count as idle: 0.95 of the target
        (1.00, 2, 2, 3),
        (0.35, 4, 4, 2),
        (0.35, 8, 4, 6),  # those that start count as at target
    ],
)
def test_hpa_by_hand(busy, workers, serving, want, judges):
    view = view_of(judges["recurring"], 1)
    rows = len(view.now)
    view = dataclasses.replace(
        view,
        max_workers=np.full(rows, 10),
        busy=np.full(rows, busy),
        workers=np.full(rows, workers),
        serving=np.full(rows, serving),
    )
    hpa = Hpa("cpu", 0.7)
    hpa.begin(judges["recurring"].library, judges["recurring"].episodes, SimulatorConfig())
    assert set(hpa.targets(view).tolist()) == {want}


def test_hpa_shrinks_only_to_the_highest_want_of_five_minutes(judges):
    view = view_of(judges["recurring"], 1)
    rows = len(view.now)
    hpa = Hpa("cpu", 0.7)
    hpa.begin(judges["recurring"].library, judges["recurring"].episodes, SimulatorConfig())
    asked = []
    for busy in [0.7, *[0.35] * 20]:
        same = np.full(rows, 4)
        now = dataclasses.replace(
            view,
            busy=np.full(rows, busy),
            workers=same,
            serving=same,
            max_workers=np.full(rows, 10),
        )
        asked.append(int(hpa.targets(now)[0]))
    assert asked == [4] * 20 + [2]


def test_dataproc_waits_for_its_cooldown(judges):
    judge = judges["recurring"]
    dataproc = Dataproc()
    dataproc.begin(judge.library, judge.episodes, judge.config)
    big = np.flatnonzero((judge.episodes.profile == 3) & (judge.episodes.max_workers == 9))
    for steps in range(9):
        view = view_of(judge, steps)
        targets = dataproc.targets(view)[big]
        assert (targets == 2).all() if steps < 8 else (targets > 2).all()


def test_pending_are_the_tasks_of_stages_under_way(judges):
    judge = judges["recurring"]
    before, later = view_of(judge), view_of(judge, 1)
    # At the start none has begun: the first stage counts, not the five after it.
    assert (pending_tasks(before) == 24).all()
    begun = (later.active + later.complete > 0) & ~later.ended
    own = np.where(begun, later.tasks - later.active - later.complete, 0).sum(axis=1)
    some = begun.any(axis=1)
    np.testing.assert_array_equal(pending_tasks(later)[some], own[some])
