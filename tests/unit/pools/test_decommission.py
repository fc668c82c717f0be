"""`pools.decommission` against a real server; a real Spark master: tests/real/docker."""

from __future__ import annotations

import pytest

import http_server
from kitwai.pools.decommission import decommission


def test_the_master_is_asked_for_the_workers_at_one_address():
    asked = []

    async def handle(path, writer):
        asked.append(path)
        writer.write(http_server.response(b""))

    with http_server.serve(handle) as url:
        assert decommission(url, "10.0.1.7") is True
    assert asked == ["/workers/kill/?host=10.0.1.7"]


@pytest.mark.parametrize("status", ["403 Forbidden", "405 Not Allowed", "302 Go"])
def test_a_master_that_does_not_do_it_is_named_with_the_remedy(status, caplog):
    with http_server.serve(http_server.answers(b"no", status)) as url:
        assert decommission(url, "10.0.1.7") is False
    assert f"status {status[:3]}" in caplog.text
    assert "spark.master.ui.decommission.allow.mode=ALLOW" in caplog.text


def test_a_worker_that_has_not_registered_is_no_fault_of_the_master(caplog):
    with http_server.serve(http_server.answers(b"", "404 Not Found")) as url:
        assert decommission(url, "10.0.1.7") is False
    assert "ALLOW" not in caplog.text


@pytest.mark.timeout(30)
def test_an_answer_without_end_is_not_read(caplog):
    with http_server.serve(http_server.streams_for_ever) as url:
        assert decommission(url, "10.0.1.7") is True


def test_a_master_that_breaks_off_does_not_do_it(caplog):
    with http_server.serve(http_server.resets) as url:
        assert decommission(url, "10.0.1.7") is False
    assert "was not reached to decommission 10.0.1.7" in caplog.text
