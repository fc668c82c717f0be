from __future__ import annotations

import json
import os
import time

import pytest

from docker_engine import ENGINE_IMAGE
from kitwai.errors import PoolError
from kitwai.pools.containers import POOL_LABEL, WORKER_LABEL
from pool_contract import PoolContract, living

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

NOWHERE = "spark://nobody:7077"


class TestDockerPool(PoolContract):
    """The contract that every pool keeps."""


@pytest.fixture
def foreign(client):
    """Makes containers of somebody else."""
    made = []

    def make(name: str, labels: dict[str, str] | None = None) -> str:
        container = client.create_container(
            ENGINE_IMAGE, ["600"], name=name, labels=labels, entrypoint="sleep"
        )
        made.append(container["Id"])
        client.start(container)
        return container["Id"]

    yield make
    for container in made:
        client.remove_container(container, force=True)


def test_containers_of_others_are_left_alone_and_their_names_passed_over(
    lone_pool, make_pool, foreign, client
):
    others = [
        foreign("kitwai-lone-pool-1"),
        foreign("other-1", {POOL_LABEL: "lone_pool-2", WORKER_LABEL: "1"}),
        foreign("other-2", {POOL_LABEL: "lone_pool"}),
        foreign("other-3", {POOL_LABEL: "lone_pool", WORKER_LABEL: "first"}),
        # What pool swarm leaves when its connection is changed to pool docker.
        foreign(
            "other-4",
            {POOL_LABEL: "lone_pool", WORKER_LABEL: "7", "com.docker.swarm.service.id": "s"},
        ),
    ]
    namesake = make_pool("Lone Pool", NOWHERE)
    (theirs,) = namesake.start(1)
    (ours,) = lone_pool.start(1)
    assert len({theirs.name, ours.name, "kitwai-lone-pool-1"}) == 3
    assert living(lone_pool) == [ours.name]
    lone_pool.drain(theirs)
    lone_pool.stop(theirs)
    lone_pool.stop_all()
    assert living(namesake) == [theirs.name]
    assert all(client.inspect_container(other)["State"]["Running"] for other in others)


def test_a_worker_has_its_limits_and_no_privilege(lone_pool, client, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
    (worker,) = lone_pool.start(1)
    seen = client.inspect_container(worker.name)
    host = seen["HostConfig"]
    limits = lone_pool.containers
    assert host["Memory"] == host["MemorySwap"] == limits.memory_mb << 20
    assert host["NanoCpus"] == limits.cpus * 1e9
    assert (host["Privileged"], host["CapDrop"], host["CapAdd"]) == (False, ["ALL"], None)
    assert "no-new-privileges" in host["SecurityOpt"]
    assert (host["Binds"], host["PidsLimit"]) == (None, 4096)
    assert seen["Config"]["User"] == "spark"
    assert "secret" not in json.dumps(seen)


def test_workers_that_ended_long_ago_go_but_the_last_logs_and_the_numbers_stay(
    lone_pool, client, monkeypatch
):
    for _ in range(8):
        client.stop(lone_pool.start(1)[0].name, timeout=0)
    now = time.time()
    monkeypatch.setattr("kitwai.pools.docker.docker_pool.time.time", lambda: now + 200)
    assert lone_pool.workers() == ()
    (worker,) = lone_pool.start(1)
    assert worker.name == "kitwai-lone-pool-9"
    left = client.containers(all=True, filters={"label": f"{POOL_LABEL}=lone_pool"})
    assert {c["Names"][0] for c in left} == {f"/kitwai-lone-pool-{n}" for n in range(4, 10)}


def test_the_last_words_are_the_reason_that_the_worker_gave(lone_pool, wait_for):
    (worker,) = lone_pool.start(1)
    wait_for(lambda: "nobody" in lone_pool.last_words(worker))
    lone_pool.stop_all()
    assert "is gone" in lone_pool.last_words(worker)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"memory_mb": 1}, "could not create kitwai-lone-pool-1: Minimum memory limit"),
        ({"cpus": os.cpu_count() + 1.0}, "could not create kitwai-lone-pool-1: .*CPUs"),
    ],
)
def test_impossible_limits_are_one_clear_sentence_and_nothing_is_left(
    make_pool, client, wrong, message
):
    pool = make_pool("lone_pool", NOWHERE, **wrong)
    with pytest.raises(PoolError, match=message) as caught:
        pool.start(1)
    assert "\n" not in str(caught.value)
    assert client.containers(all=True, filters={"label": f"{POOL_LABEL}=lone_pool"}) == []


def test_a_container_that_cannot_start_is_removed(make_pool, client):
    # An image without Spark's entry point: the engine creates the container and cannot start it.
    base = make_pool("lone_pool", NOWHERE, image="kitwai-test-base:bookworm")
    with pytest.raises(PoolError, match="could not start kitwai-lone-pool-1"):
        base.start(1)
    assert client.containers(all=True, filters={"label": f"{POOL_LABEL}=lone_pool"}) == []


def test_on_a_full_disk_a_start_is_one_clear_sentence_and_nothing_is_left(
    full_disk, lone_pool, client
):
    with full_disk(), pytest.raises(PoolError, match=r"could not create .*no space left") as caught:
        lone_pool.start(1)
    assert "\n" not in str(caught.value)
    assert lone_pool.workers() == ()
    assert client.containers(all=True, filters={"label": f"{POOL_LABEL}=lone_pool"}) == []
    assert len(lone_pool.start(1)) == 1
