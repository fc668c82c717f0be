"""Airflow's audit log holds every change, and no change that was not made. All changing routes are
walked, so that none is forgotten that is added later.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from kitwai.actions.approve import ASK_TASK, DAG_ID
from kitwai.registry.versions import champion
from kitwai.store.controls import ControlStore
from kitwai.store.tables import ApprovalRow

API = "/kitwai/api/v1"
CONTROLS = f"{API}/clusters/b_cluster/controls"
SECOND = "20270102-bbbbbbbb"


@pytest.fixture
def second(web) -> Iterator[str]:
    """Another version of the agent than the champion."""
    first = champion(web.models)
    shutil.copytree(web.models / first, web.models / SECOND)
    manifest = web.models / SECOND / "manifest.json"
    manifest.write_text(manifest.read_text().replace(first, SECOND, 1))
    yield SECOND
    if champion(web.models) == SECOND:
        web.client().post(f"{API}/models/rollback")
    shutil.rmtree(web.models / SECOND)


@pytest.fixture
def question(web, _airflow) -> int:
    """The id of a question that waits in Airflow for an answer."""
    ask_in_airflow(run_id := f"asks__{time.time()}")
    now, decision = time.time(), web.store.decisions("b_cluster")[0]
    row = ApprovalRow(
        decision_id=decision.id,
        cluster="b_cluster",
        asked_at=now,
        expires_at=now + 60,
        run_id=run_id,
    )
    with Session(web.store.engine) as session, session.begin():
        session.add(row)
        session.flush()
        return row.id


def ask_in_airflow(run_id: str) -> None:
    """What the DAG `kitwai_approve` has made of a run when its question waits."""
    from airflow import settings
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.dagrun import DagRun
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.sdk import BaseOperator
    from airflow.utils.types import DagRunType

    with Session(settings.engine) as session, session.begin():
        if session.get(DagModel, DAG_ID) is None:
            session.add(DagBundleModel(name="dags"))
            session.flush()
            session.add(DagModel(dag_id=DAG_ID, bundle_name="dags"))
        run = DagRun(DAG_ID, run_id, run_type=DagRunType.MANUAL, state="running")
        run.run_after = datetime.now(UTC)
        session.add(run)
        session.flush()
        task = TaskInstance(BaseOperator(task_id=ASK_TASK), None, run_id, "awaiting_input")
        task.dag_id = DAG_ID
        session.add(task)
        session.flush()
        options = ["Approve", "Reject"]
        session.add(HITLDetail(ti_id=task.id, options=options, subject="Scale?", multiple=False))


def set_control(web, request) -> tuple[str, dict, dict]:
    body = {"name": "pin", "value": 2, "until": time.time() + 600}
    what = {"event": "kitwai_set_control", "dag_id": "kitwai_autoscale", "cluster": "b_cluster"}
    return CONTROLS, body, what | body


def answer_approval(web, request) -> tuple[str, dict, dict]:
    asked = request.getfixturevalue("question")
    found = web.client().get(f"{API}/approvals").json()["items"][0]
    what = {"event": "kitwai_answer_approval", "dag_id": DAG_ID, "cluster": "b_cluster"}
    what |= {"task_id": ASK_TASK, "decision_id": found["decision_id"], "answer": "approved"}
    return f"{API}/approvals/{asked}", {"answer": "approved"}, what


def promote_model(web, request) -> tuple[str, dict, dict]:
    second, first = request.getfixturevalue("second"), champion(web.models)
    what = {"event": "kitwai_promote_model", "dag_id": "kitwai_models"}
    what |= {"before": first, "champion": second}
    return f"{API}/models/{second}/promote", {}, what


def roll_back(web, request) -> tuple[str, dict, dict]:
    second, first = request.getfixturevalue("second"), champion(web.models)
    assert web.client().post(f"{API}/models/{second}/promote").status_code == 200
    what = {"event": "kitwai_roll_back_model", "dag_id": "kitwai_models"}
    what |= {"before": second, "champion": first}
    return f"{API}/models/rollback", {}, what


CHANGES: dict[str, Callable[..., tuple[str, dict, dict]]] = {
    "POST /api/v1/clusters/{cluster}/controls": set_control,
    "POST /api/v1/approvals/{approval_id}": answer_approval,
    "POST /api/v1/models/{version}/promote": promote_model,
    "POST /api/v1/models/rollback": roll_back,
}
"""Each changing route: address and body of a request, and what the entry says of it."""

CHANGE_NOTHING = {"POST /api/v1/clusters/{cluster}/replay"}


def test_no_changing_route_is_forgotten(web):
    documented = {
        f"{method.upper()} {path}"
        for path, methods in web.kitwai.openapi()["paths"].items()
        for method in methods
        if method.upper() not in ("GET", "HEAD", "OPTIONS")
    }
    assert documented == set(CHANGES) | CHANGE_NOTHING


@pytest.mark.parametrize("route", CHANGES)
def test_a_change_is_in_airflows_audit_log(web, request, route):
    path, body, said = CHANGES[route](web, request)
    before = len(entries())
    answer = web.client().post(path, json=body)
    assert answer.status_code == 200, answer.text
    (entry,) = entries()[before:]
    assert entry.pop("owner") == "admin"
    assert entry.pop("owner_display_name") == "admin"
    assert age_s(entry.pop("dttm")) < 60
    run_id = entry.pop("run_id", None)
    assert (run_id is not None) == (route == "POST /api/v1/approvals/{approval_id}")
    assert entry == said


@pytest.mark.parametrize("route", CHANGES)
def test_what_is_refused_is_not_in_it(web, request, route):
    path, body, _ = CHANGES[route](web, request)
    before = entries()
    assert web.client("viewer").post(path, json=body).status_code == 403
    assert web.client(None, cookie=web.token()).post(path, json=body).status_code == 403
    assert web.client(None).post(path, json=body).status_code == 401
    elsewhere = {"Origin": "https://elsewhere.example"}
    assert web.client().post(path, json=body, headers=elsewhere).status_code == 403
    if body:
        wrong = web.client().post(path, json={name: "x" for name in body})
        assert wrong.status_code == 422
    assert entries() == before


def test_what_could_not_be_done_is_not_in_it(web, question, second):
    client = web.client()
    (web.models / second / "manifest.json").write_text("{}")
    said = {"answer": "rejected"}
    assert client.post(f"{API}/approvals/{question}", json=said).status_code == 200
    before = entries()
    for path, body, status in (
        (f"{API}/approvals/{question}", said, 409),
        (f"{API}/models/{second}/promote", {}, 409),
        (f"{API}/models/{champion(web.models)}/promote", {}, 200),
        (f"{API}/models/none/promote", {}, 404),
        (f"{API}/clusters/none/controls", {"name": "limit", "value": "5min"}, 404),
        (f"{API}/clusters/broken_cluster/controls", {"name": "limit", "value": "5min"}, 422),
    ):
        assert client.post(path, json=body).status_code == status, path
    assert entries() == before


@pytest.mark.parametrize("route", CHANGES)
def test_without_an_entry_nothing_is_changed(web, request, route):
    path, body, _ = CHANGES[route](web, request)
    before = state(web)
    with no_log():
        answer = web.client().post(path, json=body)
    assert answer.status_code == 503
    assert "database gave no answer" in answer.json()["detail"]
    assert state(web) == before
    assert web.client().post(path, json=body).status_code == 200
    assert state(web) != before


def test_a_change_that_fails_leaves_no_entry(web):
    before = entries()
    with renamed(web.store.engine, "kitwai_control"):
        answer = web.client().post(CONTROLS, json={"name": "limit", "value": "5min"})
    assert answer.status_code == 503
    assert entries() == before


def state(web) -> tuple:
    """All that people can change."""
    from airflow import settings
    from airflow.models.hitl import HITLDetail

    with Session(settings.engine) as session:
        answers = session.execute(
            sa.select(HITLDetail.ti_id, HITLDetail.chosen_options).order_by(HITLDetail.ti_id)
        ).all()
    controls = ControlStore(web.store.engine).record("b_cluster", limit=1000).items
    return champion(web.models), len(controls), answers


def entries() -> list[dict]:
    """Airflow's audit log, oldest first; what was changed stands beside the columns."""
    from airflow import settings
    from airflow.models.log import Log

    with Session(settings.engine) as session:
        rows = session.execute(sa.select(*Log.__table__.columns).order_by(Log.id)).mappings()
        return [
            {
                name: value
                for name, value in (dict(row) | json.loads(row["extra"])).items()
                if name not in ("id", "extra", "map_index") and value is not None
            }
            for row in rows
        ]


@contextmanager
def renamed(engine: sa.Engine, table: str) -> Iterator[None]:
    """The table cannot be written meanwhile."""
    with engine.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE {table} RENAME TO away"))
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text(f"ALTER TABLE away RENAME TO {table}"))


def no_log():
    from airflow import settings

    return renamed(settings.engine, "log")


def age_s(moment: datetime) -> float:
    return abs((datetime.now(UTC) - moment).total_seconds())
