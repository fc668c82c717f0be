"""`observe.http` against a real server that hangs, drips, floods, lies and breaks off."""

from __future__ import annotations

import asyncio
import time

import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter

import http_server
from kitwai.errors import SourceError
from kitwai.observe.http import MAX_BYTES, Answer, decode, get, open_client


class Model(BaseModel):
    model_config = ConfigDict(strict=True)
    count: int


MODEL = TypeAdapter(Model)


def read(url: str, timeout_s: float = 5.0) -> Answer:
    async def run() -> Answer:
        async with open_client() as client:
            return await get(client, url, timeout_s=timeout_s)

    return asyncio.run(run())


def test_an_answer_holds_body_date_and_address():
    with http_server.serve(http_server.answers(b'{"count": 3}')) as url:
        answer = read(f"{url}/json/")
    assert decode(MODEL, answer).count == 3
    assert answer.url == f"{url}/json/"
    assert answer.server_time == pytest.approx(time.time(), abs=60)


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (http_server.hangs, "no complete answer within"),
        (http_server.drips, "no complete answer within"),
        (http_server.drips_headers, "no complete answer within"),
        (http_server.resets, "broke the connection off"),
        (http_server.answers(b"", "404 Not Found"), "status 404"),
        (http_server.answers(b"", "500 Oops"), "status 500"),
        (
            http_server.answers(b"", "302 Found", ("Location: http://127.0.0.1:1/",)),
            "redirects elsewhere (status 302)",
        ),
        (http_server.answers(b"x", headers=("Content-Encoding: gzip",)), "compressed"),
    ],
)
def test_a_bad_server_is_one_sentence_with_its_address(handler, expected):
    with http_server.serve(handler) as url, pytest.raises(SourceError) as caught:
        read(f"{url}/json/", timeout_s=0.9)
    assert expected in str(caught.value)
    assert f"{url}/json/" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "handler", [http_server.answers(b" " * 100_000_000), http_server.streams_for_ever]
)
def test_a_flood_is_cut_off(handler):
    with (
        http_server.serve(handler) as url,
        pytest.raises(SourceError, match=f"more than {MAX_BYTES} bytes"),
    ):
        read(url, timeout_s=30.0)


def test_what_does_not_speak_http_is_refused():
    async def garbage(path, writer):
        writer.write(b"\x00\xff\x15\x03 not http at all\r\n\r\n")

    with (
        http_server.serve(garbage) as url,
        pytest.raises(SourceError, match="broke the connection"),
    ):
        read(url)


@pytest.mark.parametrize(("failures", "succeeds"), [(1, True), (2, True), (3, False)])
def test_a_5xx_is_tried_again_at_most_twice(failures, succeeds):
    asked = []

    async def handle(path, writer):
        asked.append(path)
        status = "500 Oops" if len(asked) <= failures else "200 OK"
        writer.write(http_server.response(b"{}", status))

    with http_server.serve(handle) as url:
        if succeeds:
            assert read(url).body == b"{}"
        else:
            with pytest.raises(SourceError, match="status 500"):
                read(url)
    assert len(asked) == min(failures + 1, 3)


def test_a_404_is_not_tried_again():
    asked = []

    async def handle(path, writer):
        asked.append(path)
        writer.write(http_server.response(b"", "404 Not Found"))

    with http_server.serve(handle) as url, pytest.raises(SourceError):
        read(url)
    assert len(asked) == 1


def test_nobody_listening():
    with http_server.serve(http_server.hangs) as url:
        pass
    with pytest.raises(SourceError, match="cannot be connected to"):
        read(url)


def test_credentials_and_query_are_used_but_never_shown():
    async def handle(path, writer):
        writer.write(http_server.response(b"", "403 Forbidden"))

    with http_server.serve(handle) as url, pytest.raises(SourceError) as caught:
        read(url.replace("http://", "http://user:geheim@") + "/json/?token=geheim")
    assert "geheim" not in str(caught.value)
    assert f"{url}/json/ answered with status 403" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["", "host", "host:8080", "spark://host:7077", "file:///etc/passwd", "http://", "http://[::1"],
)
def test_only_http_addresses_are_read(url):
    with pytest.raises(SourceError, match="http://host:port"):
        read(url)


@pytest.mark.parametrize("url", ["http://host:99999/", "http://" + "a" * 70 + ".invalid/"])
def test_an_impossible_host_or_port_is_one_sentence(url):
    with pytest.raises(SourceError):
        read(url)


def test_the_proxy_of_the_environment_is_not_used(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with http_server.serve(http_server.answers(b"{}")) as url:
        assert read(url).body == b"{}"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "JSON"),
        (b"<html>", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[" * 1_000_000, "recursion limit"),
        (b'{"x":' * 1_000_000, "recursion limit"),
        (b'{"count": 1, "x": ' + b"[" * 5000 + b"]" * 5000 + b"}", "recursion limit"),
        (b'{"count": NaN}', "count: "),
        (b'{"count": Infinity}', "count: "),
        (b'{"count": null}', "count: "),
        (b'{"count": "3"}', "count: "),
        (b'{"count": true}', "count: "),
        (b'{"count": 3.5}', "count: "),
        (b"{}", "count: "),
        (b"[]", "object"),
        (b'{"count": 1' + b"0" * 5000 + b"}", "out of range"),
    ],
)
def test_bad_json_names_the_place(body, expected):
    with pytest.raises(SourceError) as caught:
        decode(MODEL, Answer("http://host/json/", body))
    assert str(caught.value).startswith("http://host/json/ did not answer as expected: ")
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_value_never_reaches_the_message():
    with pytest.raises(SourceError) as caught:
        decode(MODEL, Answer("http://host/", b'{"count": "geheim"}'))
    assert "geheim" not in str(caught.value)
