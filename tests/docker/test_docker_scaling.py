"""A real application on containers, from which workers are taken away while it runs."""

from __future__ import annotations

import pytest
from docker_engine import ENGINE_IMAGE
from shuffle_job import (
    SCRIPT,
    check_nothing_was_lost,
    finished_tasks,
    holders,
    properties,
    task_ends,
)

from kitwai.pools.scaler import reach
from kitwai.sandbox.spark import DECOMMISSION, QUICK_JVM

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(600)]

WAIT_S = 120.0


@pytest.fixture
def run_shuffle(client, network, tmp_path):
    """Runs the application's driver in a container; ends it with the test."""
    made = []

    def run(master: str, maps: int, reduces: int, wait_s: float) -> str:
        out = tmp_path / "out"
        (out / "events").mkdir(parents=True)
        # The container's user is not the tests'.
        for folder in (out, out / "events"):
            folder.chmod(0o777)
        conf = {
            **DECOMMISSION,
            **properties("file:///out/events"),
            "spark.storage.decommission.replicationReattemptInterval": "2s",
            "spark.executor.cores": "2",
            "spark.executor.extraJavaOptions": QUICK_JVM,
        }
        options = [part for item in conf.items() for part in ("--conf", "=".join(item))]
        arguments = ["/shuffle.py", "/out/counts.json", str(maps), str(reduces), str(wait_s)]
        # The observer reads the driver from outside the network, where its name means nothing.
        known = 'SPARK_PUBLIC_DNS=$(hostname -i) exec /opt/python/pyspark/bin/spark-class "$@"'
        container = client.create_container(
            ENGINE_IMAGE,
            entrypoint=["sh", "-c", known, "sh"],
            command=[
                "org.apache.spark.deploy.SparkSubmit",
                "--master",
                master,
                *options,
                *arguments,
            ],
            host_config=client.create_host_config(
                network_mode=network, binds=[f"{SCRIPT}:/shuffle.py:ro", f"{out}:/out"]
            ),
        )["Id"]
        made.append(container)
        client.start(container)
        return container

    yield run
    for container in made:
        print(client.logs(container, tail=60).decode())  # shown where the test failed
        client.remove_container(container, force=True, v=True)


def test_1_3_1_while_a_job_shuffles_computes_nothing_twice(
    client, pool, look, lease, run_shuffle, wait_for, tmp_path
):
    maps, reduces = 90, 6
    assert reach(1, pool, look, lease, wait_s=WAIT_S).settled
    job = run_shuffle(pool.master_url, maps, reduces, 1.0)
    wait_for(lambda: finished_tasks(look) >= 2)
    out = reach(3, pool, look, lease, wait_s=WAIT_S)
    assert out.settled
    wait_for(lambda: len(holders(look())) == 3)
    back = reach(1, pool, look, lease, wait_s=WAIT_S)
    assert back.settled
    assert len(back.drained) == 2
    assert finished_tasks(look) < maps, "the scale-in came too late to show anything"
    ended = client.wait(job, timeout=180)
    assert ended["StatusCode"] == 0, client.logs(job, tail=30).decode()
    check_nothing_was_lost(tmp_path / "out", maps, reduces)
    assert len({end["Task Info"]["Host"] for end in task_ends(tmp_path / "out")}) == 3
