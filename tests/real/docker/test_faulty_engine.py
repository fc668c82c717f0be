"""Many targets, one after another, while the engine's answers go wrong."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import pytest

from faulty_engine import FaultyEngine
from kitwai.core.records.observation import Past
from kitwai.errors import PoolError
from kitwai.observe.look import observe
from kitwai.pools.containers import POOL_LABEL
from kitwai.pools.reach import reach
from kitwai.pools.worker import LOGS_KEPT
from pool_contract import living

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(900)]

FEWEST, MOST = 40, 150
"""Targets: so many at least, and more until every kind of fault was seen often enough."""

KINDS = ("500", "dropped", "lost", "handed on")


def test_random_targets_on_a_faulty_engine_end_exactly_and_leave_nothing(
    engine, client, spark, make_pool, lease, wait_for
):
    direct = make_pool("faulty")
    label = {"label": f"{POOL_LABEL}=faulty"}
    socket = engine.url.removeprefix("unix://")
    targets = random.Random(7)
    failed = 0
    with FaultyEngine(socket, Path(engine.run) / "faulty.sock", 0.15, seed=11) as faulty:
        pool = make_pool("faulty", engine_url=faulty.url)
        look = partial(observe, "test", spark.web_url, pool, Past(), timeout_s=10.0)
        for count in range(MOST):
            if count >= FEWEST and failed >= 3 and min(faulty.seen[how] for how in KINDS) >= 10:
                break
            target = targets.randint(1, 4)
            failed += bool(reach(target, pool, look, lease, wait_s=1.0).failed)
    # The faults were real, of every kind, and hit operations as well as looks.
    assert min(faulty.seen[how] for how in KINDS) >= 10
    assert failed >= 3
    look = partial(observe, "test", spark.web_url, direct, Past(), timeout_s=10.0)
    for _ in range(3):  # one call gives up on workers that die twice, which loaded machines make
        if reach(target, direct, look, lease, wait_s=120.0).settled:
            break
    assert len(living(direct)) == target
    wait_for(lambda: len(look().serving) == target)
    running = client.containers(filters=label)
    assert {one["Names"][0][1:] for one in running} == set(living(direct))
    # What has ended is known to the pool, or one of the few that stay for their logs.
    known = {worker.name for worker in direct.workers()}
    ended = {one["Names"][0][1:] for one in client.containers(all=True, filters=label)} - known
    assert len(ended) <= LOGS_KEPT
    direct.stop_all()
    assert client.containers(all=True, filters=label) == []
    others = [one["Names"][0][1:] for one in client.containers(all=True)]
    assert others == [spark.name]
    with pytest.raises(PoolError):
        pool.workers()  # the proxy is gone
