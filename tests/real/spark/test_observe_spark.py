"""`observe` on a real master with two real workers and a real application with a limit."""

from __future__ import annotations

import time

import psutil
import pytest

from kitwai.core.decide.cluster import decide
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.observation import Observation, Past
from kitwai.core.records.settings import ClusterSettings
from kitwai.observe.look import Sources, observe
from kitwai.pools.local.local_pool import LocalWorkerPool
from kitwai.pools.processes import stop_trees
from kitwai_lab.local.spark import SparkMaster, submit

pytestmark = [pytest.mark.integration, pytest.mark.slow]

APPLICATION = """
import time
from pyspark.sql import SparkSession

def slow(number):
    time.sleep(1)
    return number % 4, 1

context = SparkSession.builder.appName("<counted> & observed").getOrCreate().sparkContext
counts = context.parallelize(range(200), 200).map(slow).reduceByKey(lambda a, b: a + b, 4)
print(counts.collect())
"""
TIMEOUT_S = 180.0


def wait_for(look, wanted) -> Observation:
    deadline = time.monotonic() + TIMEOUT_S
    observation = look()
    while not wanted(observation):
        assert time.monotonic() < deadline, f"not seen in {TIMEOUT_S} s; last: {observation}"
        time.sleep(1.0)
        observation = look()
    return observation


def faults(observation: Observation) -> dict[str, str | None]:
    return {part.name: part.error for part in observation.parts if part.error is not None}


def test_a_real_cluster(tmp_path):
    script = tmp_path / "application.py"
    script.write_text(APPLICATION)
    master = SparkMaster(tmp_path / "master")
    pool = None
    driver = None
    try:
        master.start()
        pool = LocalWorkerPool(master.url, tmp_path / "workers", cores=2, memory_mb=1024)

        def look(**options) -> Observation:
            # Longer than the default: this machine also starts Java processes meanwhile.
            return observe("real", master.web_url, pool, Past(), timeout_s=5.0, **options)

        empty = look()
        assert (empty.workers, empty.applications, empty.present) == ((), (), 0)
        assert faults(empty) == {}

        started = {worker.host for worker in pool.start(2)}
        assert look().present == 2  # those under way count
        wait_for(look, lambda seen: len(seen.serving or ()) == 2)
        launched = time.time()
        driver = submit(
            master.url,
            script,
            log=tmp_path / "application.log",
            conf={
                "spark.kitwai.timeLimit": "3min",
                "spark.kitwai.maxWorkers": "4",
                "spark.executor.memory": "512m",
                "spark.log.level": "INFO",
            },
        )
        seen = wait_for(
            look,
            lambda seen: (
                any(
                    stage.complete > 0
                    for app in seen.applications or ()
                    for stage in app.stages or ()
                )
                and len(seen.applications[0].executors or ()) == 2
            ),
        )
        assert faults(seen) == {}
        assert {worker.host for worker in seen.serving} == started
        assert seen.present == 2
        (application,) = seen.applications
        assert application.name == "<counted> & observed"
        assert (application.limit_s, application.max_workers, application.cores) == (180.0, 4, 4)
        assert application.jobs == 1
        assert 0.0 < application.elapsed_s <= time.time() - launched
        assert {executor.host for executor in application.executors} == started
        assert {executor.cores for executor in application.executors} == {2}
        mapped, reduced = application.stages
        assert (mapped.status, mapped.tasks, mapped.failed) == ("ACTIVE", 200, 0)
        assert mapped.run_ms >= 1000.0 * mapped.complete > 0
        assert (reduced.status, reduced.tasks, reduced.complete) == ("PENDING", 4, 0)
        assert 0.0 <= seen.host.memory <= 1.0

        # Its own limit counts, not the cluster's.
        reason = decide(seen, ClusterSettings("real", Constraint(4, 600.0))).reason
        assert "of 180 s (its own limit" in reason

        # Its log, and what Spark measures itself, from one look to the next.
        (tmp_path / f"{application.id}.log").symlink_to(tmp_path / "application.log")
        sources = Sources(metrics=None, driver_log=f"{tmp_path}/{{id}}.log")
        first = look(sources=sources)
        second = wait_for(
            lambda: look(sources=sources, previous=first),
            lambda seen: seen.applications[0].log.lines > first.applications[0].log.lines,
        )
        assert faults(second) == {}
        assert first.applications[0].log.features["DAGScheduler"] > 0
        assert second.applications[0].log.complete
        assert 0.0 <= second.host.cpu_user <= 1.0
        assert 0.0 <= second.host.memory <= 1.0
        assert second.host.net_in is None

        stop_trees([psutil.Process(driver.pid)], grace_s=0.1)
        gone = wait_for(look, lambda seen: seen.applications == ())
        assert faults(gone) == {}

        master.stop()
        down = look()
        assert down.workers is down.applications is down.present is None
        assert {worker.host for worker in down.pool if worker.alive} == started
        assert "cannot be connected to" in faults(down)["master"]
        assert "cannot be connected to" in faults(down)["applications"]
    finally:
        if driver is not None and psutil.pid_exists(driver.pid):
            stop_trees([psutil.Process(driver.pid)], grace_s=0.1)
        for worker in pool.workers() if pool else ():
            pool.stop(worker)
        master.stop()


STREAM = """
from pyspark.sql import SparkSession

session = SparkSession.builder.appName("stream").getOrCreate()
numbers = session.readStream.format("rate").option("rowsPerSecond", 20).load()
numbers.writeStream.format("noop").trigger(processingTime="1 second").start().awaitTermination()
"""


def test_a_real_stream_has_no_end(spark_master, pool, tmp_path):
    script = tmp_path / "stream.py"
    script.write_text(STREAM)
    pool.start(1)
    driver = submit(
        spark_master.url, script, log=tmp_path / "stream.log", conf={"spark.cores.max": "2"}
    )
    try:

        def look() -> Observation:
            return observe("real", spark_master.web_url, pool, Past(), timeout_s=10.0)

        seen = wait_for(look, lambda seen: any(app.endless for app in seen.applications or ()))
        decision = decide(seen, ClusterSettings("real", Constraint(4, 600.0)))
        assert decision.target == 1
        assert seen.applications[0].limit_s is None
        assert seen.applications[0].max_cores == 2
    finally:
        if psutil.pid_exists(driver.pid):
            stop_trees([psutil.Process(driver.pid)], grace_s=0.1)
