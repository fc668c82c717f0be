"""The history of decisions: in parts, filtered, as a table, and never as anything but data."""

from __future__ import annotations

import csv
import io
import json
import time
from dataclasses import replace

import pytest

from kitwai.core.records.observation import Application, Observation

API = "/kitwai/api/v1"
A = f"{API}/clusters/a_cluster"
SCRIPT = "<script>alert(1)</script>"
STEPS = 240
"""An hour of steps."""


def ok(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_history_in_parts_is_the_history(web):
    client, ids, before = web.client(), [], None
    while True:
        params = {"limit": 37, "until": web.until} | ({"before": before} if before else {})
        page = ok(client.get(f"{A}/decisions", params=params))
        ids += [one["id"] for one in page["items"]]
        before = page["next"]
        if before is None:
            break
    assert ids == [one.id for one in web.store.decisions("a_cluster")[:STEPS]][::-1]


def test_the_history_is_filtered(web):
    client, stored = web.client(), web.store.decisions("a_cluster")[:STEPS]

    def ids(**params) -> set[int]:
        page = ok(client.get(f"{A}/decisions", params={"limit": 200, "until": web.until, **params}))
        return {one["id"] for one in page["items"]}

    changed = {one.id for one in stored if one.decision.target != one.decision.present}
    assert ids(changed=True) == changed
    assert not ids(changed=False) & changed
    assert ids(since=web.until - 600) == {
        one.id for one in stored if one.decision.at >= web.until - 600
    }
    assert ids(mode="suggest") == set()
    words = ids(search="REVENUE nightly")
    assert words <= {one.id for one in stored if "nightly revenue" in one.decision.reason}
    assert words
    for text in ("%", "_____", "' OR 1=1 --", "\\", "%' UNION SELECT 1;"):
        assert ids(search=text) == set(), text


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 201},
        {"limit": "1; DROP TABLE kitwai_decision"},
        {"before": "1 OR 1=1"},
        {"before": 10**30},
        {"since": "nan"},
        {"since": "inf"},
        {"mode": "' OR 1=1"},
        {"search": "x" * 201},
        {"search": "a\0b"},
        {"changed": "perhaps"},
    ],
)
def test_a_wrong_filter_is_one_sentence(web, params):
    answer = web.client().get(f"{A}/decisions", params=params)
    assert answer.status_code == 422
    detail = answer.json()["detail"]
    assert detail.startswith(next(iter(params)))
    assert len(detail) < 200
    assert len(web.store.decisions("a_cluster")) >= STEPS


def test_the_history_as_csv(web):
    answer = web.client().get(f"{A}/decisions.csv", params={"until": web.until})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    stored = web.store.decisions("a_cluster")[:STEPS][::-1]
    assert [int(row["id"]) for row in rows] == [one.id for one in stored]
    assert [row["reason"] for row in rows] == [one.decision.reason for one in stored]
    carried_out = [row for row in rows if row["started"] or row["removed"]]
    assert carried_out
    assert all(row["present"] != row["target"] for row in carried_out)


def test_a_decision_in_full(web):
    stored = next(
        one
        for one in web.store.decisions("a_cluster")
        if one.decision.target != one.decision.present and one.decision.applications
    )
    full = ok(web.client().get(f"{API}/decisions/{stored.id}"))
    app = stored.decision.applications[0]
    assert full["decision"]["applications"][0]["reason"] == app.reason
    assert full["settings"]["flap_budget"] == 40
    table = full["what_if"][app.id]
    assert [row["target"] for row in table] == list(range(1, 11))
    for row in table:
        finish_s = app.predicted_finish_s[row["target"] - 1]
        assert row["finish_s"] == finish_s
        assert row["cost"] == pytest.approx(row["target"] * max(0, finish_s - app.elapsed_s))
        assert row["allowed"] == app.mask[row["target"] - 1]
    assert len(full["scalings"]) == 1
    assert full["scalings"][0]["target"] == stored.decision.target
    # The outcome's own fields stand beside the moments, not below them once more.
    assert "body" not in full["scalings"][0]
    seen = ok(web.client().get(f"{API}/observations/{full['observation_id']}"))
    assert seen["cluster"] == "a_cluster"
    assert len(seen["applications"][0]["stages"]) == 24


@pytest.mark.parametrize("kind", ["decisions", "observations"])
@pytest.mark.parametrize(
    ("row", "status"), [("999999", 404), ("0", 422), ("-1", 422), ("1e3", 422), ("9" * 30, 422)]
)
def test_a_row_that_is_not_there(web, kind, row, status):
    answer = web.client().get(f"{API}/{kind}/{row}")
    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)


def test_hostile_names_stay_text(web):
    now = time.time()
    name = f"=cmd|'/C calc'!A0{SCRIPT}\u202e\x00"
    seen = Observation("b_cluster", now, applications=(Application("app-1", name, 2, 1.0),))
    observation_id = web.store.add_observation(seen)
    settings = web.store.decisions("b_cluster")[-1].settings
    decision = replace(
        web.store.decisions("b_cluster")[-1].decision,
        at=now,
        reason=f"={SCRIPT}",
        applications=(),
    )
    decision_id = web.store.add_decision(decision, observation_id, settings)
    client = web.client()
    for path in (
        f"/observations/{observation_id}",
        f"/decisions/{decision_id}",
        "/clusters",
        "/clusters/b_cluster/decisions",
    ):
        answer = client.get(API + path)
        assert answer.status_code == 200, path
        assert answer.headers["content-type"] == "application/json", path
        assert SCRIPT in json.dumps(answer.json()), path
    assert ok(client.get(f"{API}/observations/{observation_id}"))["applications"][0]["name"] == name
    table = client.get(f"{API}/clusters/b_cluster/decisions.csv").text
    first = next(csv.DictReader(io.StringIO(table)))
    assert first["reason"] == f"'={SCRIPT}"


def test_numbers_that_json_cannot_carry_are_not_known(web):
    seen = web.store.newest_observation("a_cluster")
    stored = next(o for o in reversed(web.store.decisions("a_cluster")) if o.decision.applications)
    app = replace(stored.decision.applications[0], predicted_finish_s=(float("inf"),) * 10)
    at = web.until + 1.0
    observation_id = web.store.add_observation(replace(seen, at=at))
    decision = replace(stored.decision, at=at, applications=(app,))
    decision_id = web.store.add_decision(decision, observation_id, stored.settings)
    full = ok(web.client().get(f"{API}/decisions/{decision_id}"))
    assert {row["finish_s"] for row in full["what_if"][app.id]} == {None}
    line = ok(web.client().get(f"{A}/timeline", params={"since": at - 0.5, "until": at + 0.5}))
    assert line["finish_s"] == [None]
