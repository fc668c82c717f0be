"""What the page is told of one cluster now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import application, observation, settings, stage
from kitwai.config.connection import cluster_config
from kitwai.core.decide.cluster import decide
from kitwai.core.records.observation import Part
from kitwai.core.records.overrides import Control
from kitwai.store.controls import ControlStore
from kitwai.store.store import Store
from kitwai.web import clusters
from kitwai.web.schemas import ClusterView
from kitwai.web.timeline import Points

NOW = 1000.0
OVER = stage(0, tasks=10, complete=10, status="COMPLETE")


@pytest.fixture
def store(tmp_path):
    return Store(f"sqlite:///{tmp_path / 'kitwai.db'}")


@pytest.fixture(autouse=True)
def _connection(monkeypatch):
    extra = {"max_workers": 8, "limit": "5min"}

    def connection(cluster):
        return cluster_config(cluster, host="h", port=None, schema=None, extra=extra)

    monkeypatch.setattr(clusters, "connection", connection)


def step(store, seen) -> ClusterView:
    """What the page is told after a step that saw ``seen``."""
    store.add_decision(decide(seen, settings()), store.add_observation(seen), settings())
    return clusters.cluster_view(store, "test", NOW)


def test_that_nothing_runs_is_said_only_where_it_was_seen(store):
    assert clusters.cluster_view(store, "test", NOW).applications is None
    silent = Part("applications", error="the master gave no answer")
    no_master = observation(0, workers=None, applications=None, parts=(silent,))
    assert step(store, no_master).applications is None
    assert step(store, observation(2, applications=None, parts=(silent,))).applications is None
    # Something runs, but without the pool nothing was decided on it.
    running = application(stage(tasks=40, complete=4))
    assert step(store, observation(2, running, pool=None)).applications is None
    assert step(store, observation(2)).applications == []
    assert [one.name for one in step(store, observation(2, running)).applications] == ["job"]


def test_an_application_whose_driver_is_silent_is_shown_without_tasks_and_limit(store):
    view = step(store, observation(2, application(error="its driver gave no answer")))
    (one,) = view.applications
    assert (one.tasks, one.tasks_done, one.finish_s) == (None, None, None)
    assert (one.limit_source, one.limit_s, one.left_s) == ("unknown", None, None)
    line = Points(store.engine).timeline("test", 0.0, NOW, 1000)
    assert (line.elapsed_s, line.limit_s) == ([None], [None])


@pytest.mark.parametrize("idle_s", [None, 5.0])
def test_a_stream_has_no_limit(store, idle_s):
    stream = application(OVER, stage(1, tasks=60, active=4), name="stream", idle_s=idle_s)
    stream = replace(stream, endless=True)
    (one,) = step(store, observation(2, stream)).applications
    assert (one.limit_source, one.limit_s, one.left_s) == ("none", None, None)
    line = Points(store.engine).timeline("test", 0.0, NOW, 1000)
    assert (line.elapsed_s, line.finish_s, line.limit_s) == ([None], [None], [None])
    batch = application(stage(tasks=40, complete=4), name="batch", elapsed_s=20.0, limit_s=90.0)
    views = step(store, observation(2, stream, batch, at=NOW + 1.0)).applications
    assert [(view.limit_s, view.left_s) for view in views] == [(None, None), (90.0, 70.0)]
    line = Points(store.engine).timeline("test", NOW + 1.0, NOW + 2.0, 1000)
    assert (line.elapsed_s, line.limit_s) == ([20.0], [90.0])


def set_(store, name, value, until=None, at=NOW - 60.0):
    ControlStore(store.engine).add("test", Control(name, value, at, "ada", until))


def in_force(views) -> list[tuple[str, object]]:
    return [(one.name, one.value) for one in views if one.in_force]


def test_a_setting_that_cannot_be_used_is_named_and_hides_nothing(store):
    set_(store, "mode", "auto")
    set_(store, "limit", "soon")
    set_(store, "max_workers", 4)
    view = step(store, observation(2, application(stage(tasks=40, complete=4))))
    assert view.error is None
    assert view.present == 2
    assert len(view.applications) == 1
    assert (view.mode, view.max_workers, view.limit_s) == ("suggest", 4, 300.0)
    assert [text.split(": ")[0] for text in view.ignored] == [
        "The mode that ada set is left out",
        "The limit that ada set is left out",
    ]
    assert in_force(view.controls) == [("max_workers", 4)]


def test_only_what_counts_now_is_in_force_in_the_record(store):
    set_(store, "limit", "8min")
    set_(store, "limit", "9min")
    set_(store, "max_workers", 4)
    set_(store, "max_workers", None)
    set_(store, "pin", 3, NOW - 1.0)
    set_(store, "mode", "auto")
    page = clusters.control_record(store.engine, "test", now=NOW, limit=10, before=None)
    assert len(page.items) == 6
    assert in_force(page.items) == [("limit", "9min")]
