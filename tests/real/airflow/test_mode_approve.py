"""Mode approve under a real scheduler: a person is asked, and the steps go on."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from asked import wait_until_asked
from kitwai.actions.approve import ASK_TASK, DAG_ID, ask
from kitwai.store.approvals import ApprovalStore

CLUSTER = "test_cluster"

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]


@pytest.fixture
def one_worker(setup):
    """The cluster with one worker, of which an idle one should have two."""
    if setup.workers() != 1:
        setup.run(clusters=[CLUSTER], mode="auto", N=1)
    assert setup.workers() == 1
    yield
    approval = ApprovalStore(setup.store.engine).open(CLUSTER)
    assert approval is None, "a test leaves no question open"


@pytest.fixture
def approvals(setup):
    return ApprovalStore(setup.store.engine)


def path(run_id, task_id=ASK_TASK):
    return f"/api/v2/dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/{task_id}"


def asks(setup, approvals, wait_for):
    """A step in mode approve, and the question that it puts, once it waits for its answer."""
    _, state = setup.run(clusters=[CLUSTER], mode="approve")
    assert state == "success"
    approval = approvals.open(CLUSTER)
    assert approval is not None
    wait_until_asked(setup.airflow, approval.run_id, wait_for)
    return approval


def answer(setup, approval, option):
    return setup.airflow.api.patch(
        f"{path(approval.run_id)}/-1/hitlDetails",
        json={"chosen_options": [option], "params_input": {}},
    )


def ended(setup, approval):
    """States of both tasks once the run has ended."""
    run = setup.airflow.wait_for_run(DAG_ID, approval.run_id, timeout_s=240)
    assert run["state"] == "success"
    found = setup.airflow.task_instances(DAG_ID, approval.run_id)
    return {one["task_id"]: one["state"] for one in found}


def test_approved_through_airflows_api_it_is_carried_out(setup, approvals, wait_for, one_worker):
    approval = asks(setup, approvals, wait_for)
    assert setup.workers() == 1
    pending = setup.airflow.api.get(
        "/api/v2/dags/~/dagRuns/~/hitlDetails", params={"response_received": False}
    ).json()["hitl_details"]
    (shown,) = [one for one in pending if one["task_instance"]["dag_run_id"] == approval.run_id]
    assert shown["subject"] == f"{CLUSTER}: 1 -> 2 workers"
    assert "No application has run" in shown["body"]
    assert shown["options"] == ["Approve", "Reject"]
    assert shown["params"]["target"]["value"] == 2

    # The steps go on, and nobody is asked twice.
    before = len(setup.store.decisions(CLUSTER))
    run_id, state = setup.run(clusters=[CLUSTER], mode="approve")
    assert state == "success"
    assert len(setup.store.decisions(CLUSTER)) == before + 1
    outcome = setup.airflow.xcom(
        "kitwai_autoscale", run_id, "step.scale", "return_value", map_index=0
    )
    assert "asked already" in str(outcome)
    assert approvals.open(CLUSTER) == approval

    assert answer(setup, approval, "Approve").is_success
    assert ended(setup, approval) == {"ask": "success", "scale": "success"}
    assert setup.workers() == 2
    found = approvals.get(approval.id)
    assert (found.answer, found.answered_by) == ("approved", "admin")
    scaling = setup.store.scalings(CLUSTER)[-1]
    assert (scaling.decision_id, scaling.target) == (approval.decision_id, 2)
    events = setup.airflow.api.get("/api/v2/assets/events", params={"source_dag_id": DAG_ID})
    (event,) = [
        one for one in events.json()["asset_events"] if one["source_run_id"] == approval.run_id
    ]
    assert event["extra"]["approved_by"] == "admin"


def test_a_question_whose_step_was_killed_is_put_by_the_next_and_answered_on_kitwais_api(
    setup, approvals, wait_for, one_worker
):
    setup.run(clusters=[CLUSTER])  # a suggested change
    stored = setup.store.decisions(CLUSTER)[-1]
    opened, _ = ask(setup.store, stored, time.time() - 60.0, 600.0, is_run=lambda run_id: True)
    approval = asks(setup, approvals, wait_for)
    assert approval == opened
    api = "/kitwai/api/v1/approvals"
    (shown,) = setup.airflow.api.get(api, params={"open": True}).json()["items"]
    assert (shown["id"], shown["present"], shown["target"]) == (approval.id, 1, 2)
    yes = {"answer": "approved"}
    with closing(setup.client("viewer")) as viewer:
        assert viewer.post(f"{api}/{approval.id}", json=yes).status_code == 403
    given = setup.airflow.api.post(f"{api}/{approval.id}", json=yes)
    assert given.status_code == 200, given.text
    assert (given.json()["answer"], given.json()["answered_by"]) == ("approved", "admin")
    again = setup.airflow.api.post(f"{api}/{approval.id}", json={"answer": "rejected"})
    assert again.status_code == 409
    assert ended(setup, approval) == {"ask": "success", "scale": "success"}
    assert setup.workers() == 2
    found = approvals.get(approval.id)
    assert (found.answer, found.answered_by) == ("approved", "admin")


def test_rejected_it_is_held_and_not_asked_again_at_once(setup, approvals, wait_for, one_worker):
    approval = asks(setup, approvals, wait_for)
    assert answer(setup, approval, "Reject").is_success
    assert ended(setup, approval) == {"ask": "success", "scale": "skipped"}
    assert approvals.get(approval.id).answer == "rejected"
    setup.run(clusters=[CLUSTER], mode="approve")
    assert approvals.open(CLUSTER) is None
    assert setup.workers() == 1
    told = f"approval wanted once in ask: {approval.id}"
    assert setup.notices.read_text().splitlines().count(told) == 1
    # The next tests may ask for the same target.
    with setup.store.engine.begin() as connection:
        connection.exec_driver_sql("update kitwai_approval set answered_at = 0")


def test_without_an_answer_in_time_it_is_held(setup, approvals, wait_for, one_worker):
    setup.run(clusters=[CLUSTER])  # a suggested change
    stored = setup.store.decisions(CLUSTER)[-1]
    assert (stored.decision.present, stored.decision.target) == (1, 2)
    approval, _ = ask(setup.store, stored, time.time(), 6.0, is_run=lambda run_id: True)
    run = {"cluster": CLUSTER, "approval": approval.id, "mode": "approve"}
    run_id = setup.airflow.trigger(DAG_ID, run)
    assert setup.airflow.wait_for_run(DAG_ID, run_id, timeout_s=240)["state"] == "success"
    found = approvals.get(approval.id)
    assert (found.answer, found.answered_by) == ("timed out", None)
    assert setup.workers() == 1
    with setup.store.engine.begin() as connection:
        connection.exec_driver_sql("update kitwai_approval set answered_at = 0")


def test_what_is_no_longer_wanted_cannot_be_approved(setup, approvals, wait_for, one_worker):
    approval = asks(setup, approvals, wait_for)
    _, state = setup.run(clusters=[CLUSTER], mode="approve", N=1)  # one is enough now
    assert state == "success"
    assert approvals.get(approval.id).answer == "superseded"
    # Its task does not wait any longer either.
    assert ended(setup, approval) == {"ask": "success", "scale": "skipped"}
    assert answer(setup, approval, "Approve").status_code == 409
    assert setup.workers() == 1


def test_without_its_dag_nobody_is_asked(setup, approvals, one_worker):
    setup.airflow.pause(DAG_ID)
    try:
        run_id, state = setup.run(clusters=[CLUSTER], mode="approve")
    finally:
        setup.airflow.unpause(DAG_ID)
    assert state == "success"
    why = setup.airflow.xcom("kitwai_autoscale", run_id, "step.scale", "return_value", map_index=0)
    assert "which is paused" in str(why)
    assert approvals.open(CLUSTER) is None
