"""An application with a limit, on Swarm, under the loop of a step: observe, decide, scale.

That the limit is made then is shown on Docker by test_whole_stack, on processes by test_demo.
"""

from __future__ import annotations

import json
import time
from urllib.parse import urlsplit

import pytest

from kitwai.actions.scale import scale_cluster
from kitwai.core.decide.cluster import decide
from kitwai.core.forecast.from_observation import with_counts
from kitwai.hooks.spark_cluster import SparkClusterHook
from kitwai.pools.containers import HOME
from kitwai.pools.reach import reach
from kitwai.registry.champion import load_champion
from kitwai.store.store import Store
from pool_contract import living
from shuffle_job import SCRIPT, properties

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.parametrize("kind", ["swarm"]),
]

LIMIT_S = 110
MAPS = 260


@pytest.fixture
def hook(spark, pool, kind, monkeypatch):
    """The cluster as Airflow knows it, by a connection."""
    address, limits = urlsplit(spark.web_url), pool.containers
    connection = {
        "conn_type": "spark_cluster",
        "host": address.hostname,
        "port": address.port,
        "extra": {
            "master": spark.url,
            "pool": kind,
            "mode": "auto",
            "max_workers": 4,
            "timeout": "10s",
            "docker_url": limits.engine_url,
            "image": limits.image,
            "network": limits.network,
            "worker_cores": pool.cores,
            "worker_memory_mb": pool.memory_mb,
            "reserved_cpus": 0,
        },
    }
    # The connection's name is the pool's.
    monkeypatch.setenv("AIRFLOW_CONN_TEST", json.dumps(connection))
    return SparkClusterHook("test")


def test_an_application_that_one_worker_would_keep_too_long_is_given_more(
    hook, spark, pool, look, lease, tmp_path
):
    assert type(hook.pool) is type(pool)
    assert reach(1, pool, look, lease, wait_s=120).settled
    store = Store(f"sqlite:///{tmp_path}/kitwai.db")
    champion = load_champion()
    conf = properties(f"file://{HOME}/events") | {"spark.kitwai.timeLimit": f"{LIMIT_S}s"}
    job = spark.submit(SCRIPT, [f"{HOME}/counts.json", str(MAPS), "4", "1.0"], conf=conf)
    earlier, outcome, until = [], None, time.monotonic() + 200
    while not (outcome and outcome.settled and outcome.target > 1):
        assert job.poll() is None, job.log()
        assert time.monotonic() < until, outcome
        seen = with_counts(hook.observe(store.past("test", time.time())), *earlier)
        decision = decide(
            seen,
            hook.config.settings,
            champion.policy,
            now=time.time(),
            no_policy_reason=champion.why_not,
            history=champion.history(None),
        )
        earlier, kept = [seen], store.add_observation(seen)
        number = store.add_decision(decision, kept, hook.config.settings)
        if decision.target is not None:
            outcome = scale_cluster(store, hook, decision.target, decision_id=number, wait_s=60)
        time.sleep(1)
    assert len(living(pool)) == outcome.target
    scalings = store.scalings("test")
    assert sum(one.started for one in scalings) >= outcome.target - 1
    assert store.decision(scalings[-1].decision_id).decision.target == outcome.target
