"""The parts of a step on one cluster, with a cluster that gives what it is told to."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import pytest

from builders import application, observation, pool_worker, stage
from kitwai.actions.step import carry_out, decide_cluster, observe_cluster
from kitwai.config.connection import cluster_config
from kitwai.core.records.observation import Ran
from kitwai.core.records.overrides import Control
from kitwai.errors import LeaseLostError
from kitwai.registry.champion import Champion
from kitwai.store.controls import ControlStore
from kitwai.store.lease import StoreLease
from kitwai.store.store import Store
from memory_pool import MemoryPool

LOG = logging.getLogger("test")


class Hook:
    """A cluster of which one observation after the other is seen."""

    conn_id = "test"
    asked = frozenset()
    history = history_sha256 = None
    config = cluster_config("test", host="h", port=None, schema=None, extra={})

    def __init__(self, *looks):
        self._looks = iter(looks)

    def observe(self, past, **_options):
        return replace(next(self._looks), past=past)


def test_a_driver_without_an_answer_at_one_look_loses_no_counts(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 's.db'}")
    job = [application(stage(tasks=100, complete=done)) for done in (10, 30, 50)]
    silent = application(error="timed out")
    hook = Hook(
        observation(2, job[0], at=1000.0),
        observation(5, job[1], at=1015.0),
        observation(5, silent, at=1030.0),
        observation(5, job[2], at=1045.0),
    )
    for _ in range(4):
        newest = observe_cluster(store, hook, LOG)["observation_id"]
    ran = store.observation(newest).applications[0].stages[0].ran
    assert ran == (Ran(2, 30, 150_000.0), Ran(5, 20, 100_000.0))


@pytest.mark.parametrize(("name", "value"), [("pause", "on"), ("pin", 3)])
def test_a_stored_end_that_is_no_moment_stops_no_step(tmp_path, caplog, name, value):
    store = Store(f"sqlite:///{tmp_path / 's.db'}")
    in_ms = Control(name, value, 1000.0, "ada", until=1.8e12)
    ControlStore(store.engine).add("test", in_ms)
    hook = Hook(observation(2, at=time.time()))
    seen = observe_cluster(store, hook, LOG)
    made = decide_cluster(store, hook, seen["observation_id"], LOG, Champion(None, {}))
    told = f"The {name} that ada set is left out: "
    assert told in made["reason"]
    assert told in caplog.text


def test_a_hold_without_a_worker_is_no_order_for_none(tmp_path):
    """The last worker drains, and what runs cannot be read."""
    store = Store(f"sqlite:///{tmp_path / 's.db'}")
    now = time.time()
    last = pool_worker(0, draining_since=now - 5.0)
    hook = Hook(replace(observation(0, at=now), applications=None, pool=(last,)))
    extra = {"mode": "auto", "pool": "local"}
    hook.config = cluster_config("test", host="h", port=None, schema=None, extra=extra)
    seen = observe_cluster(store, hook, LOG)
    made = decide_cluster(store, hook, seen["observation_id"], LOG, Champion(None, {}))
    assert store.decision(made["decision_id"]).decision.target == 0
    done, notices = carry_out(store, hook, made["decision_id"], ask=None, wait_s=0, log=LOG)
    assert (done["done"], notices) == ("nothing", [])
    assert done["why"].startswith("no worker is present")
    assert store.scalings("test") == []


def test_a_scaling_that_another_one_ends_is_not_told_as_nothing(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 's.db'}")
    now = time.time()
    ControlStore(store.engine).add("test", Control("pin", 3, now - 1.0, "ada", until=now + 600.0))
    hook = Hook(observation(1, at=now))
    hook.config = cluster_config(
        "test", host="h", port=None, schema=None, extra={"mode": "auto", "pool": "local"}
    )
    seen = observe_cluster(store, hook, LOG)
    made = decide_cluster(store, hook, seen["observation_id"], LOG, Champion(None, {}))
    hook.pool = MemoryPool(1, room=1, fault=LeaseLostError("The lease was lost."))
    hook.observe = hook.pool.look

    def scale():
        return carry_out(store, hook, made["decision_id"], ask=None, wait_s=0, log=LOG)[0]

    with StoreLease(store.engine, "test"):
        assert scale()["done"] == "nothing"
    assert len(hook.pool.workers()) == 1
    assert scale() == {"done": "begun", "why": "The lease was lost."}
    assert len(hook.pool.workers()) == 2


def pinned_step(tmp_path, target, present):
    """A store, and a hook whose pool is in memory, after a step that somebody pinned to ``target``
    has been decided with ``present`` workers; returns a function that carries such a step out.
    """
    store = Store(f"sqlite:///{tmp_path / 's.db'}")
    begun = time.time()
    store.controls.add("test", Control("pin", target, begun - 1.0, "ada", until=begun + 600.0))
    hook = Hook()
    hook.config = cluster_config(
        "test", host="h", port=None, schema=None, extra={"mode": "auto", "pool": "local"}
    )
    hook.pool = MemoryPool(present)

    def step():
        hook.observe = lambda *_, **__: replace(hook.pool.look(), at=time.time())
        seen = observe_cluster(store, hook, LOG)
        made = decide_cluster(store, hook, seen["observation_id"], LOG, Champion(None, {}))
        return carry_out(store, hook, made["decision_id"], ask=None, wait_s=0, log=LOG)[0]

    return store, step


def test_a_scaling_that_ends_between_two_steps_is_put_on_record_by_the_next_one(tmp_path):
    store, step = pinned_step(tmp_path, target=3, present=1)
    assert (step()["done"], step()["done"]) == ("begun", "reached")
    assert step() == {"done": "nothing", "why": "the target is already met"}
    begun, ended = store.scalings("test")
    assert (begun.started, ended.started) == (2, 0)
    assert (begun.body["settled"], ended.body["settled"]) == (True, True)
