"""An application with a limit, on containers, under the loop of a step: observe, decide, scale."""

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
from shuffle_job import SCRIPT, check_counts, properties, task_ends

pytestmark = [
    pytest.mark.alone,
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.parametrize("kind", ["docker", "swarm"]),
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


def test_an_application_makes_its_limit_which_one_worker_would_miss(
    hook, spark, pool, look, lease, tmp_path
):
    assert type(hook.pool) is type(pool)
    assert reach(1, pool, look, lease, wait_s=120).settled
    store = Store(f"sqlite:///{tmp_path}/kitwai.db")
    champion = load_champion()
    counts = f"{HOME}/counts.json"
    conf = properties(f"file://{HOME}/events") | {"spark.kitwai.timeLimit": f"{LIMIT_S}s"}
    job = spark.submit(SCRIPT, [counts, str(MAPS), "4", "1.0"], conf=conf)
    earlier, targets, until = [], set(), time.monotonic() + 300
    while job.poll() is None and time.monotonic() < until:
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
            targets.add(decision.target)
            scale_cluster(store, hook, decision.target, decision_id=number, wait_s=4)
        time.sleep(1)
    assert job.poll() == 0, job.log()
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "log").write_text(job.event_log())
    (tmp_path / "counts.json").write_text(job.read(counts))
    check_counts(tmp_path, MAPS)
    events = [json.loads(line) for line in job.event_log().splitlines()]
    began = next(e for e in events if e["Event"] == "SparkListenerApplicationStart")["Timestamp"]
    ended = next(e for e in events if e["Event"] == "SparkListenerApplicationEnd")["Timestamp"]
    assert (ended - began) / 1000 <= LIMIT_S
    assert max(targets) > 1
    assert len({end["Task Info"]["Host"] for end in task_ends(tmp_path)}) > 1
    assert sum(end["Task Metrics"]["Executor Run Time"] for end in task_ends(tmp_path)) > (
        2 * LIMIT_S * 1000
    ), "one worker of two cores would have made it too"
