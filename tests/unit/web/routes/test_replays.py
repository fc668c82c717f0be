"""Recorded days decided again, and shadows, through the API."""

from __future__ import annotations

import pytest

from kitwai.registry.versions import champion
from kitwai.store.shadow import ShadowStore
from kitwai.web.routes import replays as replay

A = "/kitwai/api/v1/clusters/a_cluster"


def asked(web, **other):
    return {"since": web.until - 3600, "until": web.until} | other


@pytest.mark.timeout(120)
def test_the_champion_decides_again_as_it_did(web):
    body = asked(web, checkpoint=champion(web.models))
    answer = web.client().post(f"{A}/replay", json=body, timeout=120)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    stored = [one for one in web.store.decisions("a_cluster") if one.decision.at < web.until]
    assert found["observations"] == len(stored) == 240
    assert found["recorded_target"] == [one.decision.target for one in stored]
    assert found["differs"] == 0
    assert found["notes"]  # no event log is in the store: there is no outcome to tell


@pytest.mark.timeout(120)
def test_a_baseline_decides_otherwise(web):
    answer = web.client().post(f"{A}/replay", json=asked(web, policy="always-N"), timeout=120)
    assert answer.status_code == 200, answer.text
    assert answer.json()["differs"] > 0


@pytest.mark.parametrize(
    ("other", "status", "told"),
    [
        ({"checkpoint": "none"}, 404, "no such version"),
        ({"checkpoint": "../.."}, 404, "no such version"),
        ({"policy": "no-such-policy"}, 422, "no-such-policy"),
        ({}, 422, "either"),
        ({"policy": "always-N", "checkpoint": "CHAMPION"}, 422, "either"),
        ({"policy": "always-N", "since": 9e9}, 422, "before"),
        ({"policy": "always-N", "since": 5.0, "until": 6.0}, 422, ""),
        ({"policy": "always-N", "until": 1.8e12}, 422, "until: "),
        ({"policy": "always-N", "since": -1.0}, 422, "since: "),
        ({"policy": "x" * 101}, 422, "policy: "),
    ],
)
def test_what_cannot_be_replayed(web, other, status, told):
    if other.get("checkpoint") == "CHAMPION":
        other = other | {"checkpoint": champion(web.models)}
    answer = web.client().post(f"{A}/replay", json=asked(web) | other)
    assert answer.status_code == status, answer.text
    assert told in answer.json()["detail"]


def test_one_replay_at_a_time(web):
    with replay._one_at_a_time:
        answer = web.client().post(f"{A}/replay", json=asked(web, policy="always-N"))
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "30"


def test_shadows_are_told(web):
    client, since = web.client(), {"since": web.until - 3601}
    assert client.get(f"{A}/shadow", params={"since": web.until - 3602}).json() == []
    for one in web.store.decisions("a_cluster")[:20]:
        ShadowStore(web.store.engine).add("a-challenger", one.decision, one.observation_id)
    (told,) = client.get(f"{A}/shadow", params=since).json()
    assert (told["checkpoint"], told["champion"]) == ("a-challenger", champion(web.models))
    assert (told["decisions"], told["differs"]) == (20, 0)
    assert client.get("/kitwai/api/v1/clusters/b_cluster/shadow", params=since).json() == []
