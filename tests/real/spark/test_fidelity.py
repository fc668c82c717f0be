from __future__ import annotations

from dataclasses import replace

import pytest

from kitwai.event_log.reader import read_event_log
from kitwai.event_log.to_profile import profile_of
from kitwai.event_log.warmup import first_task_cost_ms
from kitwai.sim.constants import spark_config
from kitwai_lab.bench.fidelity import Plan, simulate
from kitwai_lab.bench.spark_run import CORES, real_cluster

pytestmark = [
    pytest.mark.alone,
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.timeout(240),
]


def test_a_simulated_run_ends_when_the_real_one_did():
    with real_cluster() as cluster:
        cluster.keep(2)
        run = cluster.run("rounds", 15)
        log = read_event_log(run.event_log)
    profile = profile_of(log, source="test")
    # Three jobs: a shuffle; a join, whose sides are one stage; a chain of three.
    assert [len(job) for job in profile.jobs] == [2, 2, 3]
    assert [len(stage.task_ms) for job in profile.jobs for stage in job] == [15, 6, 12, 4, 8, 4, 1]
    assert profile.cores_per_worker == CORES
    assert (profile.family, profile.inputs) == ("kitwai-rounds", {"size": 15.0})
    # The driver works alone for 2 s before its last job.
    assert 2_000 <= profile.jobs[2][0].gap_ms < 4_000
    # How long starting takes depends on what else the machine does; that is not what is tested.
    config = replace(spark_config(), first_task_s=(first_task_cost_ms(log) or 0.0) / 1000.0)
    assert simulate(profile, Plan(2), config) == pytest.approx(log.finish_s, rel=0.15)
    # The tasks alone, which wait for a known time, tell that the profile holds them.
    assert profile.work_s == pytest.approx(81.3, rel=0.15)
