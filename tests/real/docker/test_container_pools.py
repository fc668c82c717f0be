"""What both pools of containers do when their engine lacks something, ends, or has a secret."""

from __future__ import annotations

import contextlib
import json
import time
from functools import partial

import docker
import pytest

from kitwai.core.records.observation import Past
from kitwai.errors import PoolError
from kitwai.observe.look import observe
from kitwai.pools.containers import AUTH_FILE, POOL_LABEL
from kitwai.pools.reach import reach
from pool_contract import living

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(600),
    pytest.mark.parametrize("kind", ["docker", "swarm"]),
]

NOWHERE = "spark://nobody:7077"
SECRET = "a-secret-of-the-tests"
WAIT_S = 120.0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"image": "no-such-image"}, "has no image 'no-such-image': build it"),
        ({"network": "no-such-network"}, "has no network 'no-such-network': make it"),
        ({"network": "host"}, "cannot find one another by name in the Docker network 'host'"),
        (
            {"engine_url": "unix:///nowhere.sock"},
            "No Docker engine answers at unix:///nowhere.sock",
        ),
    ],
)
def test_what_is_missing_is_one_clear_sentence_and_nothing_is_left(
    make_pool, client, wrong, message
):
    pool = make_pool("lone_pool", NOWHERE, **wrong)
    with pytest.raises(PoolError, match=message) as caught:
        pool.start(1)
    assert "\n" not in str(caught.value)
    assert client.containers(all=True, filters={"label": f"{POOL_LABEL}=lone_pool"}) == []


def test_an_engine_that_is_killed_and_started_again_loses_workers_but_not_the_pool(
    engine, lone_pool, containers_of, wait_for
):
    started = lone_pool.start(2)
    # Swarm starts after its restart what it had been asked for and had not begun.
    for worker in started:
        containers_of(worker)
    engine.kill()
    with pytest.raises(PoolError, match="gave no answer when asked to list workers"):
        lone_pool.workers()
    engine.start()

    def all_ended() -> bool:
        try:
            return not living(lone_pool)
        except PoolError:  # a Swarm's manager comes back after its engine
            return False

    wait_for(all_ended)
    assert [w.name for w in lone_pool.workers()] == [w.name for w in started]
    (worker,) = lone_pool.start(1)
    assert living(lone_pool) == [worker.name]


def test_a_worker_without_the_secret_is_refused_and_nobody_shows_it(
    start_spark, make_pool, lease, client, kind, containers_of, tmp_path
):
    spark = start_spark(SECRET)
    pool = make_pool(secret=SECRET)
    stranger = make_pool("stranger", spark.url)
    (intruder,) = stranger.start(1)
    look = partial(observe, "test", spark.web_url, pool, Past(), timeout_s=10.0)
    assert reach(1, pool, look, lease, wait_s=WAIT_S).settled
    (worker,) = pool.workers()
    script = tmp_path / "count.py"
    script.write_text(
        "from pyspark import SparkContext\n"
        "with SparkContext() as context:\n"
        "    assert context.parallelize(range(10), 2).map(lambda x: x + 1).sum() == 55\n"
    )
    known = spark.submit(script, conf={"spark.executor.memory": "512m"})
    # The driver and its executor, as a `ps` on their hosts would show them.
    shown, watched = "", [known.container, containers_of(worker)]
    while known.poll() is None:
        with contextlib.suppress(docker.errors.APIError):  # one that has just ended
            shown += json.dumps([client.top(one) for one in watched])
        time.sleep(1)
    assert known.poll() == 0, known.log()
    # The intruder had as long as the others.
    assert {one.host for one in look().workers} == {worker.host}
    assert intruder.name in living(stranger) or stranger.last_words(intruder)
    shown += json.dumps([client.inspect_container(c["Id"]) for c in client.containers(all=True)])
    shown += spark.client.logs(containers_of(worker)).decode() + known.log(1000)
    if kind == "swarm":
        shown += json.dumps([client.services(), client.tasks(), client.secrets()])
        assert len(client.secrets()) == 1
    assert AUTH_FILE in shown
    assert SECRET not in shown
    pool.stop_all()
    if kind == "swarm":
        assert client.secrets() == []
