"""The checkpoints as the API shows them, and the champion moved by hand."""

from __future__ import annotations

import shutil

import pytest
from sqlalchemy.exc import OperationalError

from kitwai.registry.versions import champion
from kitwai.store.training import TrainingStore

API = "/kitwai/api/v1"


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
