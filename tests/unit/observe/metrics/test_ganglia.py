"""`observe.metrics.ganglia`: a real dump, sense out of any XML, and servers that mean harm."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

import http_server
from kitwai.core.records.observation import HostMetrics
from kitwai.errors import SourceError
from kitwai.observe.metrics.ganglia import GangliaParser, read_ganglia
from kitwai.observe.metrics.source import over_cluster
from places import SHARED

DUMP = SHARED / "data" / "ganglia" / "dd-agent_gmond.xml"


def host(*metrics: str, attributes: str = 'NAME="n" IP="10.0.0.1" TN="1" TMAX="20"') -> str:
    return f"<HOST {attributes}>{''.join(metrics)}</HOST>"


def metric(name: str, value: str, more: str = "") -> str:
    return f'<METRIC NAME="{name}" VAL="{value}" {more}/>'


def document(*hosts: str, cluster: str = "c") -> bytes:
    inside = f'<CLUSTER NAME="{cluster}">{"".join(hosts)}</CLUSTER>'
    return f'<GANGLIA_XML VERSION="3" SOURCE="gmond">{inside}</GANGLIA_XML>'.encode()


def parse(data: bytes, cluster: str | None = None):
    parser = GangliaParser("Ganglia", cluster)
    parser.feed(data)
    return parser.close()


def read(write: http_server.Writer, timeout_s: float = 5.0, **options):
    async def in_time(address):
        async with asyncio.timeout(timeout_s):
            return await read_ganglia(*address, **options)

    with http_server.serve_tcp(write) as address:
        return asyncio.run(in_time(address))


@pytest.mark.skipif(not DUMP.exists(), reason="needs the dump beside the repository")
def test_a_real_dump():
    async def write(writer):
        writer.write(DUMP.read_bytes())

    nodes = read(write)
    assert len(nodes) == 8
    (busy,) = [node for node in nodes if "10.84.199.126" in node.names]
    assert (busy.cores, busy.memory_bytes) == (2.0, 7885740 * 1024)
    assert busy.metrics == HostMetrics(
        cpu_user=pytest.approx(0.35),
        cpu_system=pytest.approx(0.175),
        net_in=140008.36,
        net_out=178222.11,
        memory=pytest.approx(0.49111586),
    )
    # Two of the hosts report no metric at all: they are missing, not idle.
    assert sum(node.metrics == HostMetrics() for node in nodes) == 2
    metrics = over_cluster(
        nodes, ["10.12.6.205", "10.84.199.126"], "ip-10-114-129-126.ec2.internal"
    )
    assert metrics.cpu_user == pytest.approx((0.086 + 0.35) / 2)
    assert (metrics.net_in, metrics.net_out) == (2002.94, 10059.56)


def test_what_is_silent_or_senseless_is_missing_never_zero():
    (node,) = parse(
        document(
            host(
                metric("cpu_user", "12.5", 'TN="10" TMAX="90"'),
                metric("cpu_nice", "0.5"),
                metric("cpu_system", "5", 'TN="400" TMAX="90"'),
                metric("bytes_in", "nan"),
                metric("bytes_out", "-1"),
                metric("mem_total", "0"),
                metric("mem_free", "0"),
                metric("load_one", "3"),
            )
        )
    )
    assert node.metrics == HostMetrics(cpu_user=0.13)
    assert (node.cores, node.memory_bytes) == (None, 0.0)


def test_a_host_that_is_down_is_left_out():
    up = host(metric("cpu_user", "1"))
    down = host(metric("cpu_user", "99"), attributes='NAME="d" TN="81" TMAX="20"')
    assert [node.names for node in parse(document(up, down))] == [{"n", "10.0.0.1"}]
    with pytest.raises(SourceError, match="no host that reports"):
        parse(document(down))


def test_one_cluster_of_several():
    two = document(host(metric("cpu_user", "1"))).decode().replace("<CLUSTER", "<GRID><CLUSTER")
    two = two.replace("</CLUSTER>", '</CLUSTER><CLUSTER NAME="d">')
    two = two.replace(
        "</GANGLIA_XML>", f"{host(metric('cpu_user', '2'))}</CLUSTER></GRID></GANGLIA_XML>"
    )
    assert len(parse(two.encode())) == 2
    (node,) = parse(two.encode(), "d")
    assert node.metrics.cpu_user == 0.02
    with pytest.raises(SourceError, match="knows no cluster 'e'"):
        parse(two.encode(), "e")


def test_a_default_of_the_dtd_is_no_measurement():
    dtd = b'<!DOCTYPE GANGLIA_XML [<!ATTLIST METRIC VAL CDATA "0">]>'
    (node,) = parse(dtd + document(host('<METRIC NAME="cpu_user"/>')))
    assert node.metrics.cpu_user is None


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no element found"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "wrote no XML"),
        (b"<GANGLIA_XML>", "no element found"),
        (b"<html></html>", "not Ganglia's"),
        (b"<GANGLIA_XML>" + b"<a>" * 1000, "not Ganglia's"),
        (f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]><GANGLIA_XML>&l9;</GANGLIA_XML>'.encode(),
         "entity"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><GANGLIA_XML/>', "entity"),
        (b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1/x">%x;]><GANGLIA_XML/>', "entity"),
        (b"<GANGLIA_XML>&amp;&undefined;</GANGLIA_XML>", "undefined entity"),
        (b'<?xml version="1.0" encoding="nosuch"?><GANGLIA_XML/>', "unknown encoding"),
        (document(), "no host that reports"),
    ],
)  # fmt: skip
def test_what_is_refused(data, words):
    with pytest.raises(SourceError, match=words):
        parse(data)


@pytest.mark.slow
def test_an_endless_stream_is_cut_off():
    hosts = host(metric("cpu_user", "1")).encode() * 1000

    async def write(writer):
        writer.write(document(host())[:-14])
        while True:
            writer.write(hosts)
            await writer.drain()

    with pytest.raises(SourceError, match="more than 16777216 bytes and was cut off"):
        read(write, timeout_s=60.0)


def test_a_server_that_says_nothing_costs_only_its_time():
    async def hangs(writer):
        await asyncio.sleep(600)

    with pytest.raises(TimeoutError):
        read(hangs, timeout_s=0.2)


def test_a_server_that_breaks_off_or_is_not_there():
    async def resets(writer):
        writer.write(document(host())[:50])
        await writer.drain()
        writer.transport.abort()

    with pytest.raises(SourceError, match=r"broke the connection off|wrote no XML"):
        read(resets)
    with http_server.serve_tcp(resets) as address:
        pass
    with pytest.raises(SourceError, match="cannot be connected to"):
        asyncio.run(read_ganglia(*address))


TEXT = st.text(st.characters(codec="utf-8", exclude_characters='<&"\x00'), max_size=12)
VALUES = st.one_of(TEXT, st.floats().map(str), st.integers(-(10**9), 10**9).map(str))
METRICS = st.builds(
    metric,
    st.sampled_from(
        ["cpu_user", "cpu_system", "cpu_nice", "bytes_in", "mem_total", "mem_free", "x"]
    ),
    VALUES,
    st.one_of(st.just(""), st.builds('TN="{}" TMAX="{}"'.format, VALUES, VALUES)),
)


def shares(metrics: HostMetrics):
    return (metrics.cpu_user, metrics.cpu_system, metrics.memory)


@given(st.lists(METRICS, max_size=8))
def test_any_values_give_sense_or_nothing(metrics):
    try:
        nodes = parse(document(host(*metrics)))
    except SourceError:
        return  # a control character is no XML
    for node in nodes:
        assert all(share is None or 0.0 <= share <= 1.0 for share in shares(node.metrics))
        assert node.metrics.net_in is None or node.metrics.net_in >= 0.0
        if not any('"cpu_user"' in one for one in metrics):
            assert node.metrics.cpu_user is None
        if not any('"bytes_in"' in one for one in metrics):
            assert node.metrics.net_in is None


@given(st.binary(max_size=300), st.integers(0, 400))
def test_any_bytes_give_a_sentence_or_nodes(noise, at):
    whole = document(host(metric("cpu_user", "1"), metric("bytes_in", "2")))
    for data in (noise, whole[:at] + noise + whole[at:], whole[:at]):
        # Anything but nodes or a SourceError ends this test.
        with contextlib.suppress(SourceError):
            assert parse(data)
