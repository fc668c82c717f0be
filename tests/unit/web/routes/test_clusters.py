"""The clusters as the API shows them: now, and over time."""

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
from kitwai.store.timeline import Timelines
from kitwai.web.routes import clusters
from kitwai.web.schemas import ClusterView

API = "/kitwai/api/v1"
A = f"{API}/clusters/a_cluster"
STEPS = 240
"""An hour of steps."""
NOW = 1000.0
OVER = stage(0, tasks=10, complete=10, status="COMPLETE")


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store of its own, and a connection for every cluster that it may tell of."""
    extra = {"max_workers": 8, "limit": "5min"}

    def connection(cluster):
        return cluster_config(cluster, host="h", port=None, schema=None, extra=extra)

    monkeypatch.setattr(clusters, "connection", connection)
    return Store(f"sqlite:///{tmp_path / 'kitwai.db'}")


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
    line = clusters.get_timeline("test", Timelines(store.engine), 0.0, NOW, 1000)
    assert (line.elapsed_s, line.limit_s) == ([None], [None])


@pytest.mark.parametrize("idle_s", [None, 5.0])
def test_a_stream_has_no_limit(store, idle_s):
    stream = application(OVER, stage(1, tasks=60, active=4), name="stream", idle_s=idle_s)
    stream = replace(stream, endless=True)
    (one,) = step(store, observation(2, stream)).applications
    assert (one.limit_source, one.limit_s, one.left_s) == ("none", None, None)
    line = clusters.get_timeline("test", Timelines(store.engine), 0.0, NOW, 1000)
    assert (line.elapsed_s, line.finish_s, line.limit_s) == ([None], [None], [None])
    batch = application(stage(tasks=40, complete=4), name="batch", elapsed_s=20.0, limit_s=90.0)
    views = step(store, observation(2, stream, batch, at=NOW + 1.0)).applications
    assert [(view.limit_s, view.left_s) for view in views] == [(None, None), (90.0, 70.0)]
    line = clusters.get_timeline("test", Timelines(store.engine), NOW + 1.0, NOW + 2.0, 1000)
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
    page = clusters.list_controls("test", store, limit=10)
    assert len(page.items) == 6
    assert in_force(page.items) == [("limit", "9min")]


def ok(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_cluster_now(web):
    newest = web.store.decisions("a_cluster")[-1]
    seen = web.store.newest_observation("a_cluster")
    view = ok(web.client().get(A))
    assert view["decision_id"] == newest.id
    assert view["target"] == newest.decision.target
    assert view["reason"] == newest.decision.reason
    assert view["present"] == seen.present
    assert view["draining"] == 0
    assert (view["mode"], view["max_workers"], view["limit_s"]) == ("suggest", 10, 600.0)
    assert view["flaps"]["used"] == seen.past.changes_1h
    assert view["error"] is None
    app, decided = view["applications"][0], newest.decision.applications[0]
    assert app["name"] == decided.name
    assert app["left_s"] == decided.constraint.limit_s - decided.elapsed_s
    assert app["finish_s"] == decided.predicted_finish_s[decided.target - 1]
    assert app["tasks"] == sum(stage.tasks for stage in seen.applications[0].stages)


def test_all_clusters_and_one_whose_connection_is_wrong(web):
    views = {view["cluster"]: view for view in ok(web.client().get(f"{API}/clusters"))}
    assert list(views) == ["a_cluster", "b_cluster", "broken_cluster"]
    assert "max_worker" in views["broken_cluster"]["error"]
    assert views["broken_cluster"]["present"] is None
    assert views["b_cluster"]["present"] is not None


@pytest.mark.parametrize("path", ["", "/timeline", "/decisions", "/decisions.csv", "/controls"])
def test_another_cluster_is_not_found(web, path):
    answer = web.client().get(f"{API}/clusters/x%27%20or%201=1{path}")
    assert answer.status_code == 404
    assert answer.json()["detail"].count(".") == 1


def test_the_timeline_holds_every_step(web):
    line = ok(web.client().get(f"{A}/timeline", params={"until": web.until}))
    stored = web.store.decisions("a_cluster")[:STEPS]
    assert line["decision_id"] == [one.id for one in stored]
    assert line["at"] == [one.decision.at for one in stored]
    assert line["target"] == [one.decision.target for one in stored]
    assert line["step_s"] is None
    assert {len(line[name]) for name in line if isinstance(line[name], list)} >= {STEPS}
    for index in (0, 50, STEPS - 1):
        one = stored[index]
        seen = web.store.observation(one.observation_id)
        apps = one.decision.applications
        assert line["elapsed_s"][index] == (apps[0].elapsed_s if apps else None)
        stages = [stage for app in seen.applications for stage in app.stages]
        assert line["tasks_done"][index] == sum(stage.complete for stage in stages)
    changed = [one.id for one in stored if one.decision.target != one.decision.present]
    assert changed
    assert {mark["decision_id"] for mark in line["marks"]} <= set(changed)


def test_a_long_timeline_is_thinned_and_says_so(web):
    line = ok(web.client().get(f"{A}/timeline", params={"until": web.until, "most": 60}))
    assert 3 <= len(line["at"]) <= 4
    assert line["step_s"] == 24 * 60
    assert line["at"] == sorted(line["at"])
    hour = {"since": web.until - 3600, "until": web.until, "most": 60}
    line = ok(web.client().get(f"{A}/timeline", params=hour))
    assert line["step_s"] == 60
    assert 60 <= len(line["at"]) <= 61
    # A little later, the same points are shown.
    later = ok(web.client().get(f"{A}/timeline", params={**hour, "since": web.until - 3599}))
    assert set(later["decision_id"]) <= set(line["decision_id"])


@pytest.mark.parametrize(
    ("span", "status"),
    [
        ({"since": 0}, 422),
        ({"since": 0, "until": 366 * 86400}, 200),
        ({"since": 9, "until": 8}, 422),
    ],
)
def test_a_timeline_that_is_too_long_is_refused_in_one_sentence(web, span, status):
    answer = web.client().get(f"{A}/timeline", params=span)
    assert answer.status_code == status, answer.text
    if status == 422:
        assert "since" in answer.json()["detail"]
        assert answer.json()["detail"].count(".") == 1
