"""The masters of `kitwai bench clusters` are read whole by the observer."""

from __future__ import annotations

from kitwai.core.records.observation import Past
from kitwai.observe.look import observe
from kitwai_lab.bench.masters import LIMIT_S, WORKERS, SimulatedMasters


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
