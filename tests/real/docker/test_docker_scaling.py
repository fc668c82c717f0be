"""A real application on containers, from which workers are taken away while it runs."""

from __future__ import annotations

import pytest

from kitwai.pools.containers import HOME, archive
from kitwai.pools.reach import reach
from kitwai.pools.spark_options import SHUFFLE_SERVICE
from kitwai_lab.bench.pool_cluster import PoolCluster
from shuffle_job import (
    SCRIPT,
    check_leaving_while_stages_read,
    check_nothing_was_lost,
    holders,
    leave_one_by_one,
    properties,
    task_ends,
)

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

WAIT_S = 120.0


@pytest.mark.parametrize(("kind", "decommissions"), [("docker", True), ("swarm", False)])
def test_two_scale_ins_while_a_job_shuffles_compute_nothing_twice(
    spark, pool, look, lease, wait_for, tmp_path
):
    maps, reduces, workers = 240, 6, 3
    assert reach(workers, pool, look, lease, wait_s=WAIT_S).settled
    counts = f"{HOME}/counts.json"
    job = spark.submit(
        SCRIPT,
        [counts, str(maps), str(reduces), "2.0"],
        conf=properties(f"file://{HOME}/events"),
    )
    wait_for(lambda: len(holders(look())) == workers)
    leave_one_by_one(pool, look, lease, WAIT_S, maps)
    spark.client.put_archive(job.container, "/", archive({f"{counts}.enough": b""}))
    assert job.wait(300) == 0, job.log()
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "log").write_text(job.event_log())
    (tmp_path / "counts.json").write_text(job.read(counts))
    check_nothing_was_lost(tmp_path, maps, reduces)
    assert len({end["Task Info"]["Host"] for end in task_ends(tmp_path)}) == workers


@pytest.mark.parametrize("kind", ["swarm"])
def test_scale_ins_while_stages_read_lose_nothing_beside_a_shuffle_service(spark, pool, look):
    def submit(script, arguments, conf):
        return spark.submit(script, arguments, conf=SHUFFLE_SERVICE | conf)

    check_leaving_while_stages_read(PoolCluster(pool, look, submit, pool.stop))
