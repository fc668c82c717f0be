"""What people change: controls on a cluster, the champion."""

from __future__ import annotations

import shutil
import time

import pytest
from sqlalchemy.exc import OperationalError

from kitwai.core.records.overrides import Control
from kitwai.registry.versions import champion
from kitwai.store.controls import ControlStore
from kitwai.store.training import TrainingStore

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
    assert [one.name for one in ControlStore(web.store.engine).rows("b_cluster", most=100)][:3] == [
        "max_workers",
        "limit",
        "max_workers",
    ]


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
    before = len(ControlStore(web.store.engine).rows("b_cluster", most=100))
    answer = web.client().post(f"{B}/controls", json=body)
    assert answer.status_code == 422, answer.text
    assert told in answer.json()["detail"], answer.text
    assert len(ControlStore(web.store.engine).rows("b_cluster", most=100)) == before


@pytest.mark.parametrize("text", ['{"name": "pin", "value": 2, "until": NaN}', "{", '"', "\x00"])
def test_what_is_no_json_is_refused(web, text):
    headers = {"content-type": "application/json"}
    answer = web.client().post(f"{B}/controls", content=text.encode(), headers=headers)
    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], str)


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


def test_a_form_is_no_change(web):
    # What another site's form could send without asking first.
    body = '{"name": "limit", "value": "5min"}'
    answer = web.client().post(
        f"{B}/controls", content=body, headers={"content-type": "text/plain"}
    )
    assert answer.status_code == 422


def test_a_huge_body_is_refused(web):
    async def endless():
        for _ in range(200):
            yield b" " * 10_000

    for content in (b"x" * 70_000, endless()):
        answer = web.client().post(f"{A}/controls", content=content)
        assert answer.status_code == 413


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


def test_a_model_with_its_card(web):
    version = champion(web.models)
    models = web.client().get(f"{API}/models").json()
    assert [(one["version"], one["champion"]) for one in models] == [(version, True)]
    assert models[0]["error"] is None
    model = web.client().get(f"{API}/models/{version}").json()
    assert model["card"] == (web.models / version / "card.md").read_text()
    assert model["pictures"] == ["cost.png", "curve.png", "grid.png"]
    picture = web.client().get(f"{API}/models/{version}/pictures/grid.png")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content == (web.models / version / "grid.png").read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "%2e%2e",
        "..%2f..%2fkitwai.db",
        "champion",
        "history",
        "{v}/pictures/manifest.json",
        "{v}/pictures/weights.npz",
        "{v}/pictures/..%2fcost.png",
        "{v}/pictures/%2e%2e%2f%2e%2e%2fpasswords",
        "{v}/pictures/cost.png%00",
        "{v}/pictures/%2fetc%2fpasswd",
        "../{v}/pictures/cost.png",
        "{v}%00",
        "{v}/../{v}/pictures/none.png",
    ],
)
def test_no_path_leads_out_of_the_checkpoints(web, path):
    version = champion(web.models)
    answer = web.client().get(f"{API}/models/{path.format(v=version)}")
    assert answer.status_code in (404, 307), path
    assert "root:" not in answer.text
    for method in ("promote",):
        post = web.client().post(f"{API}/models/{path.format(v=version)}/{method}")
        assert post.status_code in (404, 405), path
    assert champion(web.models) == version


def test_an_altered_picture_is_not_shown(web):
    version = champion(web.models)
    file = web.models / version / "cost.png"
    whole = file.read_bytes()
    file.write_bytes(whole + b"<script>")
    try:
        answer = web.client().get(f"{API}/models/{version}/pictures/cost.png")
        model = web.client().get(f"{API}/models/{version}").json()
    finally:
        file.write_bytes(whole)
    assert answer.status_code == 409
    assert "altered" in answer.json()["detail"]
    assert "altered" in model["error"]


def test_the_champion_by_hand(web):
    first = champion(web.models)
    second = "20270101-aaaaaaaa"
    shutil.copytree(web.models / first, web.models / second)
    manifest = web.models / second / "manifest.json"
    client = web.client()
    try:
        wrong = client.post(f"{API}/models/{second}/promote")
        assert wrong.status_code == 409  # its manifest is another version's
        assert champion(web.models) == first
        assert client.get(f"{API}/models").json()[0]["error"] is not None
        manifest.write_text(manifest.read_text().replace(first, second, 1))
        moved = client.post(f"{API}/models/{second}/promote")
        assert moved.json() == {"champion": second, "before": first}
        back = client.post(f"{API}/models/rollback")
        assert back.json() == {"champion": first, "before": second}
        assert client.post(f"{API}/models/rollback").status_code == 409
    finally:
        shutil.rmtree(web.models / second)
    newest = TrainingStore(web.store.engine).verdicts()[-2:]
    assert [(one.version, one.champion, one.verdict) for one in newest] == [
        (second, first, "promoted"),
        (first, second, "rolled back"),
    ]
    assert newest[0].reason.endswith("by admin.")
    listed = client.get(f"{API}/training", params={"limit": 1}).json()
    assert listed["items"][0]["id"] == newest[1].id
    more = client.get(f"{API}/training", params={"before": listed["next"]}).json()
    assert more["items"][0]["id"] == newest[0].id


def test_a_champion_that_moves_without_a_record_is_told(web, monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError("INSERT", {}, Exception("disk full"))

    first = champion(web.models)
    second = "20270101-bbbbbbbb"
    shutil.copytree(web.models / first, web.models / second)
    manifest = web.models / second / "manifest.json"
    manifest.write_text(manifest.read_text().replace(first, second, 1))
    client = web.client()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(TrainingStore, "add_verdict", fail)
            answer = client.post(f"{API}/models/{second}/promote")
        assert answer.status_code == 503
        assert f"{second} is the champion now, instead of {first}" in answer.json()["detail"]
        assert champion(web.models) == second
        assert client.post(f"{API}/models/rollback").status_code == 200
    finally:
        shutil.rmtree(web.models / second)
