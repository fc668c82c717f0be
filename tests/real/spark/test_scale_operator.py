"""`ScaleOperator` killed in the middle, then run again on the same decision."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from kitwai.core.records.constraint import Constraint
from kitwai.core.records.decision import Decision
from kitwai.core.records.observation import Observation
from kitwai.core.records.settings import ClusterSettings, Mode, Pause, Pin
from kitwai.store.store import Store

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

CLUSTER = "killed"
TARGET = 3

RUN = f"""
import sys
from kitwai.hooks.spark_cluster import SparkClusterHook
from kitwai.operators.scale import ScaleOperator
operator = ScaleOperator(
    task_id="scale", cluster={CLUSTER!r}, decision={{"decision_id": int(sys.argv[1])}}, wait_s=60
)
print(operator.step(SparkClusterHook({CLUSTER!r})), flush=True)
"""


@pytest.fixture
def environment(spark_master, pool, tmp_path):
    connection = spark_master.connection(
        {
            "pool": "local",
            "pool_directory": str(pool.directory),
            "worker_cores": pool.cores,
            "worker_memory_mb": pool.memory_mb,
            "mode": "auto",
        }
    )
    return os.environ | {
        f"AIRFLOW_CONN_{CLUSTER.upper()}": json.dumps(connection),
        "AIRFLOW__KITWAI__STORE": f"sqlite:///{tmp_path / 'kitwai.db'}",
    }


def decided(
    environment, *, age_s: float = 0.0, present: int = 0, target: int = TARGET, seen=(), **changes
) -> int:
    """A stored decision for `TARGET` workers where there are none.

    :param seen: the pool as it was seen; ``changes``: of the settings.
    """
    store = Store(environment["AIRFLOW__KITWAI__STORE"])
    at = time.time() - age_s
    settings = ClusterSettings(CLUSTER, Constraint(6, 300.0), **({"mode": Mode.AUTO} | changes))
    seen = Observation(CLUSTER, at, workers=(), pool=tuple(seen), applications=())
    decision = Decision(
        CLUSTER, at, settings.mode, settings.constraint, present, target, "A test asks.",
        "forecast", None,
    )  # fmt: skip
    return store.add_decision(decision, store.add_observation(seen), settings)


def run(environment, decision_id) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(decision_id)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def living(pool) -> int:
    return sum(worker.alive for worker in pool.workers())


def test_a_retry_after_sigkill_starts_no_extra_worker(environment, pool):
    decision_id = decided(environment)
    first = run(environment, decision_id)
    until = time.time() + 60
    while living(pool) < 1 and time.time() < until:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    again, errors = run(environment, decision_id).communicate(timeout=120)
    assert "'done': 'reached'" in again, errors
    assert living(pool) == TARGET
    once_more, _ = run(environment, decision_id).communicate(timeout=120)
    assert "'started': 0" in once_more
    assert living(pool) == TARGET


def test_two_operators_at_once_reach_one_target(environment, pool):
    decision_id = decided(environment)
    both = [run(environment, decision_id) for _ in range(2)]
    said = [one.communicate(timeout=120) for one in both]
    assert any("'done': 'reached'" in out for out, _ in said), said
    assert living(pool) == TARGET


def test_an_old_decision_is_not_carried_out(environment, pool):
    said, errors = run(environment, decided(environment, age_s=3600)).communicate(timeout=60)
    assert "old" in said, errors
    assert living(pool) == 0


def test_a_pin_needs_no_approval_and_a_pause_holds_it(environment, pool):
    later = time.time() + 600
    pin = {"mode": Mode.APPROVE, "pin": Pin(TARGET, later, "ada")}
    paused = decided(environment, **pin, pause=Pause(later, "bob"))
    said, errors = run(environment, paused).communicate(timeout=60)
    assert "bob paused the cluster" in said, errors
    assert living(pool) == 0
    said, errors = run(environment, decided(environment, **pin)).communicate(timeout=120)
    assert "'done': 'reached'" in said, errors
    assert living(pool) == TARGET


def test_in_mode_approve_a_step_ends_what_is_under_way(environment, pool, look, wait_for):
    pool.start(2)
    wait_for(lambda: len(look().serving or ()) == 2)
    pool.drain(pool.workers()[0])
    decision_id = decided(environment, present=1, target=1, seen=pool.workers(), mode=Mode.APPROVE)
    said, errors = run(environment, decision_id).communicate(timeout=120)
    assert "'done': 'reached'" in said, errors
    assert living(pool) == 1
