"""What people set on a cluster by the API."""

from __future__ import annotations

import time

import pytest

from kitwai.core.records.overrides import Control
from kitwai.store.controls import ControlStore

API = "/kitwai/api/v1"
A = f"{API}/clusters/a_cluster"
B = f"{API}/clusters/b_cluster"


def test_a_control_is_set_recorded_and_lifted(web):
    client, began = web.client(), time.time()
    until = began + 600
    answer = client.post(f"{B}/controls", json={"name": "pin", "value": 3, "until": until})
    assert answer.status_code == 200
    pin = answer.json()
    assert (pin["value"], pin["by"], pin["until"], pin["in_force"]) == (3, "admin", until, True)
    assert began <= pin["at"] <= time.time()
    client.post(f"{B}/controls", json={"name": "max_workers", "value": 4})
    client.post(f"{B}/controls", json={"name": "limit", "value": "90s"})
    view = client.get(B).json()
    assert (view["max_workers"], view["limit_s"]) == (4, 90.0)
    assert {one["name"] for one in view["controls"]} >= {"pin", "max_workers", "limit"}
    client.post(f"{B}/controls", json={"name": "max_workers", "value": None})
    assert client.get(B).json()["max_workers"] == 10
    record = client.get(f"{B}/controls", params={"limit": 2}).json()
    assert [(one["name"], one["value"]) for one in record["items"]] == [
        ("max_workers", None),
        ("limit", "90s"),
    ]
    more = client.get(f"{B}/controls", params={"before": record["next"]}).json()
    assert [one["name"] for one in more["items"]][:2] == ["max_workers", "pin"]
    kept = ControlStore(web.store.engine).record("b_cluster", limit=100).items
    assert [control.name for control in kept][:3] == ["max_workers", "limit", "max_workers"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"name": "mode", "value": "auto"}, "needs a pool"),
        ({"name": "mode", "value": "approve"}, "needs a pool"),
        ({"name": "mode", "value": "yolo"}, "suggest, approve, auto"),
        ({"name": "pin", "value": 3}, "needs an end"),
        ({"name": "pin", "value": 3, "until": 5}, "past"),
        ({"name": "pause", "value": "on"}, "needs an end"),
        ({"name": "pause", "value": "x", "until": 1e10}, "pause must be on"),
        ({"name": "pin", "value": 0, "until": 1e10}, "count of workers"),
        ({"name": "pin", "value": 3, "until": 1.8e12}, "epoch seconds"),
        ({"name": "pause", "value": None, "until": 1.8e12}, "epoch seconds"),
        ({"name": "max_workers", "value": 10**9}, "1000 workers"),
        ({"name": "max_workers", "value": True}, "value: "),
        ({"name": "max_workers", "value": "4"}, "count of workers"),
        ({"name": "limit", "value": "soon"}, "is not a time"),
        ({"name": "limit", "value": "9" * 51}, "50"),
        ({"name": "limit", "value": "5min", "note": "x"}, "note: "),
        ({"name": "password", "value": "x"}, "name"),
        ({"name": "limit"}, "value"),
        ([], "body"),
        ({"name": "pin", "value": {"$gt": 1}, "until": 1e10}, "value"),
    ],
)
def test_what_cannot_be_is_refused_and_not_recorded(web, body, told):
    before = len(ControlStore(web.store.engine).record("b_cluster", limit=100).items)
    answer = web.client().post(f"{B}/controls", json=body)
    assert answer.status_code == 422, answer.text
    assert told in answer.json()["detail"], answer.text
    assert len(ControlStore(web.store.engine).record("b_cluster", limit=100).items) == before


def test_a_stored_end_that_is_no_moment_hides_no_cluster(web):
    store = ControlStore(web.store.engine)
    store.add("b_cluster", Control("pause", "on", 1.7e9, "ada", until=1.8e18))
    client = web.client()
    try:
        view = client.get(B).json()
        record = client.get(f"{B}/controls", params={"limit": 1}).json()["items"]
    finally:
        client.post(f"{B}/controls", json={"name": "pause", "value": None})
    assert (view["error"], view["mode"]) == (None, "suggest")
    (pause,) = [one for one in view["controls"] if one["name"] == "pause"]
    assert (pause["until"], pause["in_force"]) == (None, False)
    assert record == [pause]


def test_a_cluster_with_a_pool_may_scale(web):
    answer = web.client().post(f"{A}/controls", json={"name": "mode", "value": "auto"})
    assert answer.status_code == 200
    assert web.client().get(A).json()["mode"] == "auto"
    web.client().post(f"{A}/controls", json={"name": "mode", "value": None})
    assert web.client().get(A).json()["mode"] == "suggest"


def test_controls_need_a_usable_connection(web):
    answer = web.client().post(
        f"{API}/clusters/broken_cluster/controls", json={"name": "limit", "value": "5min"}
    )
    assert answer.status_code == 422
    assert "max_worker" in answer.json()["detail"]
