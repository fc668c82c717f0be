from __future__ import annotations

import json

import pytest

from docker_engine import ENGINE_IMAGE
from kitwai.errors import PoolError
from kitwai.pools.containers import POOL_LABEL, WORKER_LABEL
from pool_contract import PoolContract, living

NOWHERE = "spark://nobody:7077"

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(600),
    pytest.mark.parametrize("kind", ["swarm"]),
]


class TestSwarmPool(PoolContract):
    """The contract that every pool keeps."""


def test_services_of_others_are_left_alone_and_their_names_passed_over(
    lone_pool, make_pool, client
):
    from docker.types import ContainerSpec

    def foreign(name: str, labels: dict[str, str] | None = None) -> str:
        waits = ContainerSpec(ENGINE_IMAGE, command=["sleep"], args=["600"])
        return client.create_service({"ContainerSpec": waits}, name=name, labels=labels)["ID"]

    others = [
        foreign("kitwai-lone-pool-1"),
        foreign("other-1", {POOL_LABEL: "lone_pool-2", WORKER_LABEL: "1"}),
        foreign("other-2", {POOL_LABEL: "lone_pool"}),
        foreign("other-3", {POOL_LABEL: "lone_pool", WORKER_LABEL: "first"}),
    ]
    try:
        namesake = make_pool("Lone Pool", NOWHERE, grace_s=10)
        (theirs,) = namesake.start(1)
        (ours,) = lone_pool.start(1)
        assert len({theirs.name, ours.name, "kitwai-lone-pool-1"}) == 3
        assert living(lone_pool) == [ours.name]
        lone_pool.drain(theirs)
        lone_pool.stop(theirs)
        lone_pool.stop_all()
        assert living(namesake) == [theirs.name]
        left = {service["ID"]: service for service in client.services()}
        assert all(left[one]["Spec"]["Mode"]["Replicated"]["Replicas"] == 1 for one in others)
    finally:
        for one in others:
            client.remove_service(one)


def test_a_worker_has_its_limits_and_no_privilege(lone_pool, client, containers_of, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
    (worker,) = lone_pool.start(1)
    seen = client.inspect_container(containers_of(worker))
    host, limits = seen["HostConfig"], lone_pool.containers
    assert (host["Memory"], host["NanoCpus"]) == (limits.memory_mb << 20, limits.cpus * 1e9)
    assert (host["Privileged"], host["CapDrop"], host["CapAdd"]) == (False, ["ALL"], None)
    assert (host["Binds"], host["PidsLimit"]) == (None, 4096)
    assert seen["Config"]["User"] == "spark"
    assert "secret" not in json.dumps(seen)


def test_a_worker_that_no_host_has_room_for_says_so(make_pool, wait_for):
    large = make_pool("lone_pool", NOWHERE, cpus=4096.0, reserved_cpus=4096.0)
    (worker,) = large.start(1)
    wait_for(lambda: "insufficient resources" in large.last_words(worker))
    assert living(large) == [worker.name]
    large.stop(worker)
    assert living(large) == []


def test_on_a_full_disk_a_worker_ends_with_the_reason(full_disk, lone_pool, wait_for):
    with full_disk():
        (worker,) = lone_pool.start(1)
        wait_for(lambda: not living(lone_pool))
    assert "no space left" in lone_pool.last_words(worker)
    (second,) = lone_pool.start(1)
    assert living(lone_pool) == [second.name]


def test_the_time_to_leave_is_over_at_the_end_of_the_grace_period(
    make_pool, client, containers_of, wait_for
):
    pool = make_pool("lone_pool", NOWHERE, grace_s=3)
    (worker,) = pool.start(1)
    container = containers_of(worker)
    # The signal is answered, but the worker never ends.
    client.exec_start(client.exec_create(container, ["kill", "-STOP", "-1"]))
    pool.drain(worker)
    wait_for(lambda: not living(pool), timeout_s=30)


def test_an_engine_without_a_swarm_is_one_clear_sentence(make_pool, monkeypatch, client):
    pool = make_pool("lone_pool", NOWHERE)
    info = client.info() | {"Swarm": {"LocalNodeState": "inactive", "ControlAvailable": False}}
    monkeypatch.setattr(pool.engine.client, "info", lambda: info)
    with pytest.raises(PoolError, match="is no manager of a Swarm: make it one"):
        pool.start(1)
