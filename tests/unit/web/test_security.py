"""Who gets in, who may change what, and from where. All routes are walked, so that none is
forgotten that is added later.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator

import jwt
import pytest
from fastapi import HTTPException

ADMIN, VIEWER, NOBODY = "admin", "viewer", "nobody"
API = "/kitwai/api/v1"
CSRF = "X-Kitwai-CSRF"
VALUES = {
    "cluster": "a_cluster",
    "decision_id": "1",
    "observation_id": "1",
    "approval_id": "1",
    "name": "cost.png",
    "path": "index.html",
}
CHANGE = (f"{API}/clusters/a_cluster/controls", {"name": "limit", "value": None})


def routes(web, *methods: str) -> Iterator[tuple[str, str]]:
    """Method and address of every route, documented or not."""
    version = next(path.name for path in web.models.iterdir() if path.is_dir())
    values = VALUES | {"version": version}
    for route in all_routes(web.kitwai.routes):
        for method in sorted(route.methods & {"GET", "POST", "PUT", "PATCH", "DELETE"}):
            if not methods or method in methods:
                yield (
                    method,
                    "/kitwai"
                    + re.sub(r"\{(\w+)(?::\w+)?\}", lambda m: values[m.group(1)], route.path),
                )


def all_routes(found) -> Iterator:
    for route in found:
        inner = getattr(route, "routes", None)
        if inner:
            yield from all_routes(inner)
        else:
            yield route


def test_every_documented_route_is_walked(web):
    documented = {
        (method.upper(), path)
        for path, methods in web.kitwai.openapi()["paths"].items()
        for method in methods
    }
    assert len(documented) >= 18
    assert len(list(routes(web))) >= len(documented) + 2  # openapi.json and the page


def test_nothing_answers_without_a_token(web):
    for method, path in routes(web):
        answer = web.client(None).ask(method, path)
        assert answer.status_code == 401, (method, path)
        assert answer.json()["detail"].startswith("Sign in"), path
        assert answer.headers["www-authenticate"] == "Bearer"


def forged_tokens(web) -> dict[str, str]:
    claims = jwt.decode(web.token(), options={"verify_signature": False})
    return {
        "no token": "abc",
        "another key": jwt.encode(claims, "x" * 64, algorithm="HS512"),
        "no signature": jwt.encode(claims, None, algorithm="none"),
        "changed": web.token(VIEWER)[:-6] + "AAAAAA",
        "expired": web.token(expiration_time_in_seconds=-60),
        "of another service": jwt.encode(
            claims | {"aud": "others"}, "of the tests " * 6, algorithm="HS512"
        ),
    }


def test_forged_and_expired_tokens_count_as_none(web):
    for what, token in forged_tokens(web).items():
        by_header = web.client(None, authorization=f"Bearer {token}")
        by_cookie = web.client(None, cookie=token)
        for method, path in routes(web):
            assert by_header.ask(method, path).status_code == 401, (what, method, path)
        assert by_cookie.get(f"{API}/me").status_code == 401, what


def test_a_viewer_reads(web):
    client = web.client(VIEWER)
    me = client.get(f"{API}/me").json()
    assert me["name"] == VIEWER
    assert not me["may_change"]
    assert not me["may_answer"]
    assert not me["may_promote"]
    for method, path in routes(web, "GET"):
        assert client.ask(method, path).status_code in (200, 404), path


def test_a_viewer_changes_nothing(web):
    changes = list(routes(web, "POST", "PUT", "PATCH", "DELETE"))
    assert len(changes) >= 4
    for method, path in changes:
        answer = web.client(VIEWER).ask(method, path, json={})
        assert answer.status_code == 403, (method, path)
        assert "may not trigger the DAG" in answer.json()["detail"], path


def test_who_may_not_answer_in_airflow_is_told_so_and_answers_nothing_here(web, monkeypatch):
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    from kitwai.web import security
    from kitwai.web.routes.approvals import give_answer

    user = SimpleAuthManagerUser(username=ADMIN, role="ADMIN")
    client, allowed = web.client(ADMIN), security.authorized
    assert client.get(f"{API}/me").json()["may_answer"]

    def no_answers(user, method, dag_id, entity):
        answers = (dag_id, entity) == ("kitwai_approve", DagAccessEntity.HITL_DETAIL)
        return not answers and allowed(user, method, dag_id, entity)

    monkeypatch.setattr(security, "authorized", no_answers)
    me = client.get(f"{API}/me").json()
    assert (me["may_change"], me["may_answer"]) == (True, False)
    with pytest.raises(HTTPException, match="may not answer for the DAG kitwai_approve"):
        give_answer(None, "any run", "approved", user)


def test_who_may_not_read_the_dag_reads_nothing(web):
    for method, path in routes(web):
        assert web.client(NOBODY).ask(method, path, json={}).status_code == 403, (method, path)


def test_a_change_by_cookie_needs_the_users_own_token(web):
    path, body = CHANGE
    cookie = web.token(ADMIN)
    own = web.client(None, cookie=cookie).get(f"{API}/me").json()["csrf"]
    others = web.client(VIEWER).get(f"{API}/me").json()["csrf"]
    until, _, signature = own.partition(".")
    wrong = {
        "none": None,
        "empty": "",
        "another user's": others,
        "a longer life": f"{int(until, 16) + 9999:x}.{signature}",
        "half": own[:20],
        "beyond ASCII": "ä.ö",
        "a bare end": f"{until}.",
    }
    for what, token in wrong.items():
        headers = {} if token is None else {CSRF: token.encode()}
        answer = web.client(None, cookie=cookie).post(path, json=body, headers=headers)
        assert answer.status_code == 403, what
        assert CSRF in answer.json()["detail"], what
    answer = web.client(None, cookie=cookie).post(path, json=body, headers={CSRF: own})
    assert answer.status_code == 200


def test_every_change_by_cookie_needs_the_token(web):
    client = web.client(None, cookie=web.token(ADMIN))
    for method, path in routes(web, "POST", "PUT", "PATCH", "DELETE"):
        answer = client.ask(method, path, json={})
        assert answer.status_code == 403, (method, path)
        assert CSRF in answer.json()["detail"], path


def test_an_old_csrf_token_ends(web):
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    from kitwai.web.security import csrf_token

    user = SimpleAuthManagerUser(username=ADMIN, role="ADMIN")
    path, body = CHANGE
    client = web.client(None, cookie=web.token(ADMIN))
    for age_s, status in ((3600, 200), (25 * 3600, 403)):
        headers = {CSRF: csrf_token(user, time.time() - age_s)}
        assert client.post(path, json=body, headers=headers).status_code == status


def test_a_program_needs_no_csrf_token(web):
    path, body = CHANGE
    assert web.client(ADMIN).post(path, json=body).status_code == 200
    # With a cookie as well, it may be a browser that was led to send a header.
    both = web.client(ADMIN, cookie=web.token(ADMIN))
    assert both.post(path, json=body).status_code == 403


def test_the_header_counts_before_the_cookie(web):
    mixed = web.client(VIEWER, cookie=web.token(ADMIN))
    assert mixed.get(f"{API}/me").json()["name"] == VIEWER


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://airflow.test.elsewhere.example"},
        {"Origin": "http://airflow.test@elsewhere.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_change_from_another_site_is_refused(web, headers):
    for method, path in routes(web, "POST", "PUT", "PATCH", "DELETE"):
        answer = web.client(ADMIN).ask(method, path, json={}, headers=headers)
        assert answer.status_code == 403, path
        assert "own pages" in answer.json()["detail"], path


def test_a_change_from_airflows_own_page_is_taken(web):
    path, body = CHANGE
    headers = {"Origin": "http://airflow.test", "Sec-Fetch-Site": "same-origin"}
    assert web.client(ADMIN).post(path, json=body, headers=headers).status_code == 200


def test_every_answer_carries_the_security_headers(web):
    for client in (web.client(ADMIN), web.client(None)):
        for method, path in routes(web, "GET"):
            headers = client.ask(method, path).headers
            assert "default-src 'self'" in headers["content-security-policy"], path
            assert "frame-ancestors 'self'" in headers["content-security-policy"], path
            assert headers["x-content-type-options"] == "nosniff", path
            if "/api/" in path:
                assert headers["cache-control"] == "no-store", path


WRONG = (
    "-1",
    "0",
    "9" * 5000,
    str(2**31),
    str(2**63),
    "1e400",
    "-1e400",
    "nan",
    "inf",
    "1.5",
    "text",
    "",
    " ",
    "%00",
    "a%00b",
    "%ff%fe",
    "%F0%9F%92%A9" * 60,
    "..%2f..%2fetc%2fpasswd",
    "' OR 1=1 --",
    "true",
    "[]",
)


def test_no_wrong_parameter_is_an_error_of_the_server(web):
    client, documented = web.client(ADMIN), web.kitwai.openapi()["paths"]
    version = next(path.name for path in web.models.iterdir() if path.is_dir())
    asked = 0
    for template, methods in documented.items():
        if "get" not in methods:
            continue
        names = [(one["in"], one["name"]) for one in methods["get"].get("parameters", [])]
        for (where, name), value in itertools.product(names, WRONG):
            values = VALUES | {"version": version}
            query = f"?{name}={value}" if where == "query" else ""
            if where == "path":
                values |= {name: value}
            path = re.sub(r"\{(\w+)\}", lambda m, values=values: values[m.group(1)], template)
            answer = client.get(f"/kitwai{path}{query}")
            asked += 1
            assert answer.status_code < 500, (path[:80], query[:80])
            if answer.status_code >= 400:
                detail = answer.json()["detail"]
                assert isinstance(detail, str), (path[:80], query[:80])
                assert 0 < len(detail) <= 500
                assert "\n" not in detail
    assert asked > 30 * len(WRONG)
