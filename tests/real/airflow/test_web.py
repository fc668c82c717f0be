"""The API under a real Airflow: mounted by the plugin, behind the real login."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing

import pytest

CLUSTER = "test_cluster"
DAG_ID = "kitwai_autoscale"
API = "/kitwai/api/v1"
VALUES = {"cluster": CLUSTER, "version": "none", "name": "cost.png"}

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def step(setup) -> str:
    """A step that has been made."""
    run_id, state = setup.run(clusters=[CLUSTER])
    assert state == "success"
    return run_id


def routes(setup) -> Iterator[tuple[str, str]]:
    """Every route of the document that the server gives out."""
    document = setup.airflow.api.get(f"{API}/openapi.json").json()
    assert len(document["paths"]) >= 15
    for path, methods in document["paths"].items():
        for method in methods:
            yield (
                method.upper(),
                "/kitwai" + re.sub(r"\{(\w+)\}", lambda m: VALUES.get(m.group(1), "1"), path),
            )


def test_the_plugin_is_loaded_whole(setup):
    assert setup.airflow.api.get("/api/v2/plugins/importErrors").json()["import_errors"] == []
    plugins = setup.airflow.api.get("/api/v2/plugins").json()["plugins"]
    kitwai = next(one for one in plugins if one["name"] == "kitwai")
    assert [one["url_prefix"] for one in kitwai["fastapi_apps"]] == ["/kitwai"]
    assert [(one["href"], one["destination"]) for one in kitwai["external_views"]] == [
        ("kitwai/", "nav"),
        ("kitwai/?dag={DAG_ID}", "dag"),
    ]
    assert "PageLink" in kitwai["operator_extra_links"][0]


def test_every_route_asks_who_is_there(setup, step):
    walked = [*routes(setup), ("GET", f"{API}/openapi.json"), ("GET", "/kitwai/index.html")]
    with (
        closing(setup.client()) as nobody,
        closing(setup.client()) as forger,
        closing(setup.client("viewer")) as viewer,
    ):
        forger.headers["Authorization"] = setup.airflow.api.headers["Authorization"][:-4] + "AAAA"
        for method, path in walked:
            assert nobody.request(method, path, json={}).status_code == 401, path
            assert forger.request(method, path, json={}).status_code == 401, path
            status = viewer.request(method, path, json={}).status_code
            assert status in ((200, 404) if method == "GET" else (403,)), (method, path)


def test_a_step_is_shown_and_its_tasks_lead_there(setup, step):
    newest = setup.store.decisions(CLUSTER)[-1]
    view = setup.airflow.api.get(f"{API}/clusters/{CLUSTER}").json()
    assert view["decision_id"] == newest.id
    assert (view["error"], view["mode"], view["max_workers"]) == (None, "suggest", 3)
    clusters = setup.airflow.api.get(f"{API}/clusters").json()
    assert "max_worker" in clusters[1]["error"]
    runs = f"/api/v2/dags/{DAG_ID}/dagRuns/{step}/taskInstances"
    for task in ("observe", "decide", "scale"):
        links = setup.airflow.api.get(f"{runs}/step.{task}/links", params={"map_index": 0}).json()
        assert links["extra_links"] == {"Kitwai": f"/kitwai/#/decisions/{newest.id}"}, task
    # The other cluster's tasks were skipped.
    links = setup.airflow.api.get(f"{runs}/step.decide/links", params={"map_index": 1}).json()
    assert links["extra_links"]["Kitwai"].startswith("/kitwai/")


def test_a_browser_logs_in_and_changes_something(setup, step):
    with closing(setup.client()) as browser:
        page = browser.get("/kitwai/", headers={"accept": "text/html"})
        assert page.status_code == 307
        assert page.headers["location"].startswith("/auth/login?next=")
        bearer = setup.airflow.api.headers["Authorization"]
        browser.cookies.set("_token", bearer.removeprefix("Bearer "))
        path, body = f"{API}/clusters/{CLUSTER}/controls", {"name": "limit", "value": "8min"}
        assert browser.post(path, json=body).status_code == 403
        csrf = browser.get(f"{API}/me").json()["csrf"]
        headers = {"X-Kitwai-CSRF": csrf, "Origin": setup.airflow.url}
        assert browser.post(path, json=body, headers=headers).status_code == 200
        elsewhere = headers | {"Origin": "http://elsewhere.example"}
        assert browser.post(path, json=body, headers=elsewhere).status_code == 403
        assert browser.get(f"{API}/clusters/{CLUSTER}").json()["limit_s"] == 480.0
        browser.post(path, json={"name": "limit", "value": None}, headers=headers)
    asked = {"dag_id": DAG_ID, "event": "kitwai_set_control", "order_by": "-id"}
    logged = setup.airflow.api.get("/api/v2/eventLogs", params=asked).json()["event_logs"]
    assert [json.loads(one["extra"])["value"] for one in logged] == [None, "8min"]
    assert {one["owner"] for one in logged} == {"admin"}
