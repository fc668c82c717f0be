"""Decisions that wait for a person, as the API lists them."""

from __future__ import annotations

import time

from kitwai.store.tables import ApprovalRow

API = "/kitwai/api/v1"
A = f"{API}/clusters/a_cluster"


def ok(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_approvals_are_listed(web):
    from sqlalchemy.orm import Session

    now, decision = time.time(), web.store.decisions("a_cluster")[0]
    with Session(web.store.engine) as session, session.begin():
        common = {"decision_id": decision.id, "cluster": "a_cluster", "asked_at": now}
        session.add(ApprovalRow(**common, expires_at=now + 60, run_id="nowhere"))
        session.add(ApprovalRow(**common, expires_at=now - 60, run_id="over"))
        session.add(
            ApprovalRow(**common, expires_at=now + 60, answer="rejected", answered_by="somebody")
        )
    client = web.client()
    rejected, over, waiting = ok(client.get(f"{API}/approvals"))["items"][:3]
    assert (rejected["answer"], rejected["answered_by"]) == ("rejected", "somebody")
    assert waiting["reason"] == decision.decision.reason
    listed = ok(client.get(f"{API}/approvals", params={"open": True}))["items"]
    assert [one["id"] for one in listed] == [waiting["id"]]
    assert ok(client.get(A))["approval"]["id"] == waiting["id"]
    for one, status in ((rejected, 409), (over, 409), (waiting, 409), ({"id": 9999}, 404)):
        answer = client.post(f"{API}/approvals/{one['id']}", json={"answer": "approved"})
        assert answer.status_code == status, one
    wrong = client.post(f"{API}/approvals/{waiting['id']}", json={"answer": "perhaps"})
    assert wrong.status_code == 422
