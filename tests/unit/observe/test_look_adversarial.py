"""`observe` when every source answers anything: an observation comes, and says what it lacks."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import http_server
from kitwai.core.records.observation import Observation
from kitwai.observe.look import Sources, observe
from kitwai.observe.metrics.ganglia import read_ganglia
from kitwai.observe.metrics.prometheus import read_prometheus
from played_cluster import PAST, Cluster, Pool, errors

# What is done to an answer: cut off at a share of its length, and overwritten at another.
DAMAGE = st.tuples(
    st.one_of(st.just(1.0), st.floats(0, 1)), st.floats(0, 1), st.binary(max_size=12)
)
XML = (
    b'<GANGLIA_XML VERSION="3" SOURCE="gmond"><CLUSTER NAME="c"><HOST NAME="n" IP="127.0.0.1">'
    b'<METRIC NAME="cpu_user" VAL="12.5"/><METRIC NAME="bytes_in" VAL="7"/>'
    b"</HOST></CLUSTER></GANGLIA_XML>"
)
PROMETHEUS = (
    b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{"instance":"n:1",'
    b'"kitwai_metric":"cpu_user"},"value":[1.5,"0.125"]}]}}'
)
LINES = (
    b"26/01/01 10:00:00 INFO SparkContext: Running\n"
    b'{"ts":"x","level":"INFO","msg":"Block b stored as values in memory (estimated size 1.5 KiB, '
    b'free 1 B)","logger":"MemoryStore"}\n'
)


def damaged(body: bytes, damage: tuple[float, float, bytes]) -> bytes:
    end, at, noise = damage
    body = body[: round(end * len(body))]
    start = round(at * len(body))
    return body[:start] + noise + body[start + len(noise) :]


class Damaged(Cluster):
    """A cluster with one application, one of whose answers is damaged."""

    path, damage = "", (1.0, 0.0, b"")

    def answer(self, path: str) -> bytes | None:
        body = PROMETHEUS if path.startswith("/api/v1/query") else super().answer(path)
        return damaged(body, self.damage) if body and self.path in path else body


def check(seen: Observation) -> None:
    """That whatever is missing is named, and nothing that is named was made up."""
    faults = errors(seen)
    assert (seen.workers is None) == ("master" in faults)
    assert (seen.applications is None) == ("applications" in faults)
    assert (seen.host is None) == ("host" in faults)
    for one in seen.applications or ():
        assert (one.stages is None) == (one.error is not None) == (f"driver {one.id}" in faults)
        assert one.elapsed_s >= 0
        assert one.stages is not None or f"tasks {one.id}" not in faults
        for stage in one.stages or ():
            assert stage.running_s is None or stage.running_s >= 0
            assert all(ran.tasks > 0 and ran.run_ms >= 0 for ran in stage.ran)
    if seen.host is not None:
        assert seen.host.cpu_user is None or 0.0 <= seen.host.cpu_user <= 1.0
        assert seen.host.cpu_system is None
    assert all(fault.strip() and "geheim" not in fault for fault in faults.values())


@pytest.mark.slow
def test_whatever_the_sources_answer(tmp_path):
    cluster = Damaged(["a"])
    log = tmp_path / "a.log"
    xml = [XML]

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(xml[0])

    with http_server.serve(cluster) as url, http_server.serve_tcp(write) as ganglia:
        kinds = {
            "ganglia": partial(read_ganglia, *ganglia),
            "prometheus": partial(read_prometheus, url),
            "spark": None,
        }

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(
            st.sampled_from(
                [
                    "",
                    "/json/",
                    "/jobs",
                    "/stages",
                    "/executors",
                    "/environment",
                    "taskList",
                    "taskSummary",
                    "query",
                ]
            ),
            st.sampled_from(sorted(kinds)),
            DAMAGE,
        )
        def look(path, kind, damage):
            cluster.path, cluster.damage = path, damage
            xml[0] = damaged(XML, damage)
            log.write_bytes(damaged(LINES, damage))
            sources = Sources(kinds[kind], driver_log=f"{tmp_path}/{{id}}.log")
            seen = observe("c", url, Pool(lambda: ()), PAST, sources=sources, timeout_s=10.0)
            check(seen)
            for one in seen.applications or ():
                assert (one.log is None) == (f"log {one.id}" in errors(seen))
                # A machine that stands still for seconds leaves the log to the next look.
                if one.log is not None and one.log.complete:
                    assert one.log.lines == log.read_bytes().count(b"\n")

        look()
