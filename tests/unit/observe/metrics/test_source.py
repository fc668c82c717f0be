"""`observe.metrics.source` and `observe.metrics.spark`: the cluster's metrics from what is
known.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

import builders
from kitwai.core.records.observation import HostMetrics, WorkerState
from kitwai.errors import SourceError
from kitwai.observe.metrics.source import Node, over_cluster
from kitwai.observe.metrics.spark import spark_metrics

WORKER_1 = Node(frozenset({"w1.example.org", "10.0.0.1"}), HostMetrics(0.2, 0.1, 1, 2, 0.5), 2, 100)
WORKER_2 = Node(frozenset({"w2.example.org", "10.0.0.2"}), HostMetrics(0.8, 0.1, 3, 4, 0.9), 6, 300)
MASTER = Node(
    frozenset({"Master.example.org", "10.0.0.9"}), HostMetrics(0.0, 0.0, 5, 6, 0.1), 2, 50
)
ALL = (WORKER_1, WORKER_2, MASTER)


@pytest.mark.parametrize(
    ("nodes", "workers", "master", "expected"),
    [
        # CPU weighs by cores, memory by bytes, the network is the master's.
        (ALL, ["10.0.0.1", "w2"], "master", (0.65, 0.1, 5, 6, 0.8)),
        (ALL, ["w1.example.org"], "MASTER.example.org.", (0.2, 0.1, 5, 6, 0.5)),
        # A worker that no node bears is missing; where none is borne, every node counts.
        (ALL, ["10.0.0.1", "10.0.0.7"], "10.0.0.9", (0.2, 0.1, 5, 6, 0.5)),
        ((WORKER_1, WORKER_2), ["127.0.0.2"], "10.0.0.2", (0.65, 0.1, 3, 4, 0.8)),
        # An unknown master has no network, unless there is but one node.
        (ALL, ["w1"], "10.0.0", (0.2, 0.1, None, None, 0.5)),
        ((WORKER_1,), [], "spark-master", (0.2, 0.1, 1, 2, 0.5)),
        # Without a size nodes weigh alike; what is missing is no zero.
        ((replace(WORKER_1, cores=None), WORKER_2), [], "w1", (0.5, 0.1, 1, 2, 0.8)),
        ((replace(WORKER_1, metrics=HostMetrics(cpu_user=0.2)), WORKER_2), [], "w1",
         (0.65, 0.1, None, None, 0.9)),
        ((), [], "w1", (None,) * 5),
    ],
)  # fmt: skip
def test_the_clusters_metrics(nodes, workers, master, expected):
    found = over_cluster(nodes, workers, master)
    assert (found.cpu_user, found.cpu_system, found.net_in, found.net_out, found.memory) == (
        tuple(value if value is None else pytest.approx(value) for value in expected)
    )


def executor(number: int, used: int | None, most: int | None):
    return replace(builders.executor(number), memory_bytes=used, max_memory_bytes=most)


def application(name: str, cpu_s: float | None, *executors, elapsed_s: float = 100.0):
    made = builders.application(name=name, executors=executors, elapsed_s=elapsed_s)
    return replace(made, cpu_s=cpu_s)


def test_sparks_own_metrics():
    workers = (builders.worker(0), builders.worker(1), builders.worker(2, WorkerState.DEAD))
    before = builders.observation(2, application("a", 10.0), at=1000.0)
    now = (
        application("a", 30.0, executor(0, 10, 100), executor(1, 30, 100)),
        application("new", 4.0, executor(0, 0, 200), elapsed_s=5.0),
    )
    # 24 CPU seconds in 10 s on four living cores.
    found = spark_metrics(now, workers, 1010.0, before)
    assert found == HostMetrics(cpu_user=pytest.approx(0.6), memory=pytest.approx(0.1))
    assert spark_metrics(now[:1], workers, 1001.0, before).cpu_user == 1.0
    for changed in (
        replace(now[0], cpu_s=None),
        replace(now[0], cpu_s=9.0),  # its oldest stages were forgotten
        replace(now[0], id="seen for the first time, and old"),
    ):
        assert spark_metrics((changed,), workers, 1010.0, before).cpu_user is None
    assert spark_metrics(now, workers, 1010.0, None).cpu_user is None
    assert spark_metrics((), workers, 1010.0, before) == HostMetrics(cpu_user=0.0)
    untold = (application("a", 30.0, executor(0, 10, None)),)
    assert spark_metrics(untold, workers, 1010.0, before).memory is None


@pytest.mark.parametrize(
    ("applications", "workers", "words"),
    [
        (None, (), "from the master"),
        ((), None, "from the master"),
        ((builders.application(error="hangs"),), (), "from every driver"),
    ],
)
def test_sparks_own_metrics_of_half_a_cluster_are_none(applications, workers, words):
    with pytest.raises(SourceError, match=words):
        spark_metrics(applications, workers, 1.0, None)
