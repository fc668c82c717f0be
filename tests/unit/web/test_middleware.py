"""What holds for every request: its size, its form, and one sentence against what is wrong."""

from __future__ import annotations

import pytest

API = "/kitwai/api/v1"
A = f"{API}/clusters/a_cluster"
B = f"{API}/clusters/b_cluster"


@pytest.mark.parametrize("text", ['{"name": "pin", "value": 2, "until": NaN}', "{", '"', "\x00"])
def test_what_is_no_json_is_refused(web, text):
    headers = {"content-type": "application/json"}
    answer = web.client().post(f"{B}/controls", content=text.encode(), headers=headers)
    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], str)


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
