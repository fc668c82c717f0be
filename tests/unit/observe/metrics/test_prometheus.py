"""`observe.metrics.prometheus`: the query, the answer, and servers that mean harm."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

import http_server
from kitwai.core.records.observation import HostMetrics
from kitwai.errors import SourceError
from kitwai.observe.http import Answer
from kitwai.observe.metrics.prometheus import parse, query, read_prometheus


def sample(name: str, value: object, instance: str = "worker-1:9100") -> dict[str, object]:
    return {"metric": {"instance": instance, "kitwai_metric": name}, "value": [1.5, value]}


def body(*samples: object, **changes: object) -> bytes:
    data = {"resultType": "vector", "result": samples, **changes}
    return json.dumps({"status": "success", "data": data}).encode()


def parsed(data: bytes):
    return parse(Answer("http://p/api/v1/query", data))


def test_an_answer():
    asked = []

    async def handle(path, writer):
        asked.append(path)
        writer.write(
            http_server.response(
                body(
                    sample("cpu_user", "0.25"),
                    sample("cpu_system", "0.0"),
                    sample("cores", "4"),
                    sample("net_in", "1000.5"),
                    sample("memory", "NaN"),
                    sample("cpu_user", "0.5", "[::1]:9100"),
                )
            )
        )

    with http_server.serve(handle) as url:
        one, two = asyncio.run(read_prometheus(f"{url}/", matcher='job="node"', window_s=30))
    assert one.names == {"worker-1:9100", "worker-1"}
    assert (one.cores, one.memory_bytes) == (4.0, None)
    assert one.metrics == HostMetrics(cpu_user=0.25, cpu_system=0.0, net_in=1000.5)
    assert (two.names, two.metrics) == ({"[::1]:9100", "::1"}, HostMetrics(cpu_user=0.5))
    (path,) = asked
    assert urlsplit(path).path == "/api/v1/query"
    assert parse_qs(urlsplit(path).query) == {"query": [query('job="node"', 30)]}
    assert 'node_cpu_seconds_total{mode=~"user|nice",job="node"}[30s]' in query('job="node"', 30)
    assert "node_memory_MemTotal_bytes{}" in query()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "did not answer as expected"),
        (b"[" * 100_000, "did not answer as expected"),
        (b'{"status": "success"}', "data: Field required"),
        (body(resultType="matrix"), "with a vector"),
        (body(sample("cpu_user", 0.5)), "did not answer as expected"),
        (b'{"status":"error","error":"parse error"}', "data: Field required"),
        (body(), "no node-exporter metrics"),
        (body(sample("cpu_user", "NaN"), sample("net_in", "-1")), "no node-exporter metrics"),
    ],
)  # fmt: skip
def test_what_is_refused(data, words):
    with pytest.raises(SourceError, match=words):
        parsed(data)


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (http_server.streams_for_ever, "more than 8388608 bytes and was cut off"),
        (http_server.answers(b" " * 100_000_000), "was cut off"),
        (http_server.answers(b"", "400 Bad Request"), "status 400"),
        (http_server.answers(b"", "302 Found", ("Location: http://127.0.0.1:1/",)), "redirects"),
    ],
)
def test_servers_that_mean_harm(handler, words):
    with http_server.serve(handler) as url, pytest.raises(SourceError, match=words) as raised:
        asyncio.run(read_prometheus(url.replace("http://", "http://user:geheim@")))
    assert "geheim" not in str(raised.value)


NAMES = st.sampled_from(["cpu_user", "cpu_system", "net_in", "memory", "cores", "x"])
VALUES = st.one_of(
    st.text(max_size=8),
    st.floats().map(str),
    st.floats(),
    st.none(),
    st.sampled_from(["+Inf", "0"]),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)


@given(st.lists(st.builds(sample, NAMES, VALUES, st.sampled_from(["a:1", "b", ""])), max_size=6))
def test_any_values_give_sense_or_a_sentence(samples):
    try:
        nodes = parsed(body(*samples))
    except SourceError:
        return
    for node in nodes:
        metrics = node.metrics
        for share in (metrics.cpu_user, metrics.cpu_system, metrics.memory):
            assert share is None or 0.0 <= share <= 1.0
        named = {one["metric"]["kitwai_metric"] for one in samples}
        assert metrics.cpu_user is None or "cpu_user" in named
        assert metrics.net_in is None or "net_in" in named


@given(st.one_of(st.binary(max_size=200), JSON.map(json.dumps).map(str.encode)))
def test_any_bytes_give_a_sentence(data):
    with pytest.raises(SourceError, match="did not answer as expected"):
        parsed(data)
