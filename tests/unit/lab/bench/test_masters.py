"""The masters of `kitwai bench clusters` are read whole by the observer."""

from __future__ import annotations

from kitwai.core.records.observation import Past, Told
from kitwai.observe.look import observe
from kitwai_lab.bench.masters import LIMIT_S, WORKERS, Load, SimulatedMasters


def test_every_source_of_a_simulated_cluster_answers():
    with SimulatedMasters(2) as masters:
        seen = [
            observe(f"c{port}", f"http://127.0.0.1:{port}", None, Past(), timeout_s=20)
            for port in masters.ports
        ]
    for one in seen:
        assert {part.name for part in one.parts if part.error} == {"pool"}  # it has none
        assert len(one.serving) == WORKERS
        (application,) = one.applications
        assert application.limit_s == LIMIT_S
        assert [stage.tasks for stage in application.stages] == [400]
    assert len({one.applications[0].id for one in seen}) == 2


def test_lists_of_tasks_fit_their_stages_and_are_as_long_as_sparks():
    done = [0]
    load = Load(applications=3, tasks=1000, task_ms=2000, done=lambda: done[0])
    with SimulatedMasters(1, load) as masters:
        (port,) = masters.ports
        before = None
        for done[0] in (0, 150, 400):
            sent = masters.sent
            before = observe(
                "c", f"http://127.0.0.1:{port}", None, Past(), previous=before, timeout_s=20
            )
            assert {part.name for part in before.parts if part.error} == {"pool"}
            assert len(before.applications) == 3
            for application in before.applications:
                (stage,) = application.stages
                assert (stage.complete, stage.active, stage.told) == (done[0], 4, Told.TASKS)
                assert sum(ran.tasks for ran in stage.ran) == done[0]
        assert 1_700 * 3 * 250 < masters.sent - sent < 2_200 * 3 * 270
