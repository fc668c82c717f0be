from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import psutil
import pytest

from kitwai.core.records.observation import Past
from kitwai.core.records.scaling import ScalingProgress
from kitwai.errors import InvalidInputError, LeaseError
from kitwai.observe.look import observe
from kitwai.pools import processes
from kitwai.pools.local.local_pool import LocalWorkerPool
from kitwai.pools.reach import reach
from kitwai.store.store import Store
from kitwai_lab.bench.pool_cluster import local_cluster
from kitwai_lab.local.spark import submit
from shuffle_job import (
    SCRIPT,
    check_counts,
    check_leaving_while_stages_read,
    check_nothing_was_lost,
    finished_tasks,
    holders,
    properties,
    task_ends,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

APPLICATIONS = Path(__file__).parent / "applications"
WAIT_S = 120.0  # a busy machine starts five JVMs in tens of seconds


def living(pool: LocalWorkerPool) -> set[str]:
    return {worker.name for worker in pool.workers() if worker.alive}


@pytest.fixture
def run_shuffle(spark_master, tmp_path):
    """Submits the application that counts keys; ends it with the test."""
    submitted = []

    def run(maps: int, reduces: int, wait_s: float, **conf: str) -> subprocess.Popen[bytes]:
        events = tmp_path / "events"
        events.mkdir()
        arguments = [str(tmp_path / "counts.json"), str(maps), str(reduces), str(wait_s)]
        child = submit(
            spark_master.url,
            SCRIPT,
            arguments,
            log=tmp_path / "application.log",
            conf=properties(events.as_uri()) | conf,
        )
        submitted.append(child)
        return child

    yield run
    processes.stop_trees([psutil.Process(c.pid) for c in submitted if c.poll() is None])


@pytest.mark.slow
def test_1_4_2_1_while_a_job_shuffles_computes_nothing_twice(
    pool, look, lease, run_shuffle, wait_for, tmp_path
):
    maps, reduces = 240, 6
    assert reach(1, pool, look, lease, wait_s=WAIT_S).settled
    job = run_shuffle(maps, reduces, wait_s=2.0)
    wait_for(lambda: finished_tasks(look) >= 2)
    out = reach(4, pool, look, lease, wait_s=WAIT_S)
    assert out.settled
    assert len(out.started) == 3
    # Every worker is to hold shuffle blocks before two of them leave, and maps are to be left: a
    # reduce stage that runs already keeps the old addresses, and Spark would run it once more.
    wait_for(lambda: len(holders(look())) == 4)
    for target, leaving in ((2, 2), (1, 1)):
        back = reach(target, pool, look, lease, wait_s=WAIT_S)
        assert back.settled
        assert len(back.drained) == leaving
        assert set(back.stopped) == set(back.drained)
    assert finished_tasks(look) < maps, "the scale-ins came too late to show anything"
    (tmp_path / "counts.json.enough").touch()
    assert job.wait(180) == 0
    check_nothing_was_lost(tmp_path, maps, reduces)
    assert len({end["Task Info"]["Host"] for end in task_ends(tmp_path)}) == 4
    assert len(living(pool)) == 1


@pytest.mark.slow
def test_scale_ins_while_stages_read_lose_nothing_beside_a_shuffle_service(run_path):
    with local_cluster(run_path, shuffle_service=True) as cluster:
        check_leaving_while_stages_read(cluster)


@pytest.mark.slow
def test_workers_come_and_go_under_dynamic_allocation(
    pool, look, lease, run_shuffle, wait_for, tmp_path
):
    maps = 120
    assert reach(1, pool, look, lease, wait_s=WAIT_S).settled
    job = run_shuffle(
        maps,
        4,
        wait_s=2.0,
        **{
            "spark.dynamicAllocation.enabled": "true",
            "spark.dynamicAllocation.shuffleTracking.enabled": "true",
            "spark.dynamicAllocation.minExecutors": "1",
            "spark.dynamicAllocation.executorIdleTimeout": "2s",
        },
    )
    wait_for(lambda: finished_tasks(look) >= 2)
    assert reach(3, pool, look, lease, wait_s=WAIT_S).settled
    # Spark asks for executors as long as tasks wait, and gets them on the new workers.
    wait_for(lambda: len(holders(look())) == 3)
    assert reach(1, pool, look, lease, wait_s=WAIT_S).settled
    assert finished_tasks(look) < maps, "the scale-in came too late to show anything"
    (tmp_path / "counts.json.enough").touch()
    assert job.wait(180) == 0
    check_nothing_was_lost(tmp_path, maps, 4)
    assert len(living(pool)) == 1


@pytest.mark.slow
def test_idle_workers_leave_first(pool, look, lease, run_shuffle, wait_for, tmp_path):
    assert reach(3, pool, look, lease, wait_s=WAIT_S).settled
    job = run_shuffle(8, 2, wait_s=2.0, **{"spark.cores.max": "2"})
    wait_for(lambda: finished_tasks(look) >= 1)
    (busy,) = {e.host for app in look().applications for e in app.executors}
    outcome = reach(1, pool, look, lease, wait_s=WAIT_S)
    assert outcome.settled
    assert len(outcome.drained) == 2
    (left,) = (worker for worker in pool.workers() if worker.alive)
    assert left.host == busy
    assert job.wait(120) == 0
    check_counts(tmp_path, 8)
    assert {end["Task End Reason"]["Reason"] for end in task_ends(tmp_path)} == {"Success"}


@pytest.mark.slow
def test_a_worker_whose_executor_is_coming_up_is_drained_only_when_it_can_hear(
    pool, look, lease, run_shuffle, wait_for, tmp_path
):
    assert reach(1, pool, look, lease, wait_s=WAIT_S).settled
    job = run_shuffle(20, 4, wait_s=1.0)
    wait_for(lambda: finished_tasks(look) >= 1)
    # From here on the master gives every newcomer an executor at once.
    assert reach(3, pool, look, lease, wait_s=WAIT_S).settled
    outcome = reach(1, pool, look, lease, wait_s=WAIT_S, drain_timeout_s=WAIT_S)
    assert outcome.settled
    assert job.wait(180) == 0
    check_counts(tmp_path, 20)
    ends = task_ends(tmp_path)
    assert Counter(end["Task Type"] for end in ends)["ShuffleMapTask"] == 20
    assert {end["Task End Reason"]["Reason"] for end in ends} == {"Success"}


def test_what_one_call_begins_the_next_one_continues(pool, look, lease):
    begun = reach(2, pool, look, lease, wait_s=0)
    assert len(begun.started) == 2
    assert not begun.settled
    assert begun.waiting
    assert lease.renewals == 3  # before the start, and after each worker
    ended = reach(2, pool, look, lease, wait_s=WAIT_S)
    assert ended.settled
    assert ended.started == ()
    assert living(pool) == set(begun.started)


def test_workers_of_others_count_and_are_left_alone(
    spark_master, pool, look, lease, tmp_path, wait_for
):
    theirs = LocalWorkerPool(spark_master.url, tmp_path / "theirs", memory_mb=512)
    try:
        theirs.start(1)
        wait_for(lambda: len(look().serving or ()) == 1)
        out = reach(2, pool, look, lease, wait_s=WAIT_S)
        assert out.settled
        assert len(out.started) == 1
        back = reach(1, pool, look, lease, wait_s=WAIT_S)
        assert back.settled
        assert set(back.drained) == set(out.started)
        assert living(pool) == set()
        assert len(living(theirs)) == 1
    finally:
        theirs.stop_all()


@pytest.mark.parametrize(("moment", "number"), [("before", "1"), ("after", "1"), ("after", "2")])
def test_a_scaler_killed_in_the_middle_leaves_no_extra_worker(
    moment, number, spark_master, pool, look, tmp_path
):
    store = f"sqlite:///{tmp_path}/store.db"
    command = _scaler(store, spark_master, pool, 2)
    killed = subprocess.run([*command, moment, number], check=False)
    assert killed.returncode == -signal.SIGKILL
    survivors = living(pool)
    assert len(survivors) == int(number) - (moment == "before")
    # The lease of the dead one is in the store; the next one takes it over.
    with Store(store).operation("test", 2) as operation:
        outcome = reach(2, pool, look, operation, wait_s=WAIT_S)
    assert outcome.settled
    assert len(outcome.started) == 2 - len(survivors)
    assert living(pool) == survivors | set(outcome.started)


def test_two_scalers_at_once_reach_one_target(spark_master, pool, tmp_path):
    store = f"sqlite:///{tmp_path}/store.db"
    Store(store)  # its tables; both would make them at the same time
    command = _scaler(store, spark_master, pool, 2)
    scalers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    started = [int(scaler.communicate()[0]) for scaler in scalers]
    assert [scaler.returncode for scaler in scalers] == [0, 0]
    assert sorted(started) == [0, 2]
    assert len(pool.workers()) == 2


def _scaler(store: str, master, pool: LocalWorkerPool, target: int) -> list[str]:
    return [
        *(sys.executable, str(APPLICATIONS / "scaler.py"), store, master.url, master.web_url),
        *(str(pool.directory), str(target)),
    ]


def test_a_lost_lease_ends_the_call_before_it_acts(pool, look):
    class LostLease:
        done = before = ScalingProgress()
        begun_at = 0.0

        def renew(self) -> None:
            raise LeaseError("The lease was lost.")

    with pytest.raises(LeaseError):
        reach(1, pool, look, LostLease(), wait_s=WAIT_S)
    assert pool.workers() == ()


def test_while_the_master_gives_no_answer_nothing_is_touched(tmp_path, lease):
    port = processes.free_port()
    pool = LocalWorkerPool(f"spark://127.0.0.1:{port}", tmp_path / "pool")
    look = partial(observe, "test", f"http://127.0.0.1:{port}", pool, Past())
    outcome = reach(2, pool, look, lease, wait_s=0)
    assert not outcome.settled
    assert "the master gave no answer" in outcome.waiting[0]
    assert pool.workers() == ()
    assert lease.renewals == 0


def test_workers_that_die_at_their_start_are_replaced_once_and_reported(
    pool, look, lease, monkeypatch
):
    monkeypatch.setenv("SPARK_DAEMON_MEMORY", "1k")
    outcome = reach(1, pool, look, lease, wait_s=WAIT_S)
    assert not outcome.settled
    assert len(outcome.started) == 2
    (why,) = outcome.failed
    assert why.startswith(f"{outcome.started[1]} ended soon after its start: ")
    assert "heap" in why
    assert living(pool) == set()


def test_workers_that_find_no_master_are_reported_with_what_they_say(
    spark_master, look, lease, tmp_path
):
    lost = LocalWorkerPool(f"spark://127.0.0.1:{processes.free_port()}", tmp_path / "lost")
    look = partial(observe, "test", spark_master.web_url, lost, Past(), timeout_s=10.0)
    try:
        outcome = reach(1, lost, look, lease, wait_s=25)
        assert not outcome.settled
        assert any("has not registered; its log ends: " in line for line in outcome.waiting)
    finally:
        lost.stop_all()


def test_missing_java_is_named_and_nothing_is_touched(pool, look, lease, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    outcome = reach(1, pool, look, lease, wait_s=WAIT_S)
    assert len(outcome.failed) == 1
    assert "Java was not found" in outcome.failed[0]
    assert pool.workers() == ()


def test_a_target_below_one_is_an_error(tmp_path, lease):
    pool = LocalWorkerPool("spark://127.0.0.1:7077", tmp_path / "pool")
    with pytest.raises(InvalidInputError, match="at least 1 worker"):
        reach(0, pool, lambda: None, lease)
