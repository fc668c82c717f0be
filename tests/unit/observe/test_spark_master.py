"""`observe.spark_master` on a recorded master and page, and on broken ones."""

from __future__ import annotations

import json

import pytest

from kitwai.core.records.observation import Worker, WorkerState
from kitwai.errors import SourceError
from kitwai.observe.http import Answer
from kitwai.observe.spark_master import (
    ActiveApplication,
    parse_applications,
    parse_driver_urls,
    parse_workers,
)
from spark_answers import RECORDED, changed, recorded


def test_workers_of_a_real_master():
    assert parse_workers(recorded("master.json")) == tuple(
        Worker(id, host, WorkerState.ALIVE, 2, 2, 1024, 512)
        for id, host in (
            ("worker-20261124010926-127.0.7.2-37809", "127.0.7.2"),
            ("worker-20261124010926-127.0.7.3-44881", "127.0.7.3"),
        )
    )


def test_applications_of_a_real_master():
    assert parse_applications(recorded("master.json")) == (
        ActiveApplication("app-20261124010933-0000", "orders <by> day & customer", 4, 35.281),
    )


def test_an_unheard_of_worker_state_is_unknown():
    workers = json.loads((RECORDED / "master.json").read_bytes())["workers"]
    workers[0]["state"] = "RESTING"
    assert parse_workers(changed("master.json", workers=workers))[0].state is WorkerState.UNKNOWN


@pytest.mark.parametrize("status", ["STANDBY", "RECOVERING"])
@pytest.mark.parametrize("parse", [parse_workers, parse_applications])
def test_a_master_without_the_say_is_not_a_cluster_of_none(status, parse):
    with pytest.raises(SourceError, match=f"is {status}, not ALIVE"):
        parse(changed("master.json", status=status, workers=[], activeapps=[]))


@pytest.mark.parametrize("field", ["cores", "coresused", "memory", "memoryused", "host", "state"])
def test_a_worker_without_a_field_is_an_error_not_a_zero(field):
    workers = json.loads((RECORDED / "master.json").read_bytes())["workers"]
    del workers[1][field]
    with pytest.raises(SourceError, match=f"workers.1.{field}"):
        parse_workers(changed("master.json", workers=workers))


APP = "app-20261124010933-0000"


def test_driver_address_on_the_page_of_a_real_master():
    urls = parse_driver_urls(recorded("master.html"), "http://master:8080/")
    assert urls == {APP: "http://127.0.7.1:24040"}


def test_driver_address_behind_the_masters_reverse_proxy():
    urls = parse_driver_urls(recorded("master_reverse_proxy.html"), "http://master:8080/")
    assert urls == {"app-20261124011054-0000": "http://master:8080/proxy/app-20261124011054-0000"}


def row(app_id: str, name_cell: str) -> str:
    return (
        f'<tr><td><a href="app/?appId={app_id}">{app_id}</a><a href="#" class="kill-link">(kill)'
        f"</a></td><td>{name_cell}</td><td>4</td></tr>"
    )


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("", {}),
        (row("a", "finished"), {}),
        ('<link href="/static/x.css"/>' + row("a", "finished"), {}),
        (row("a", '<a href="http://d:1?x=1&amp;y=2">n</a>'), {"a": "http://d:1?x=1&y=2"}),
        (row("a", "&lt;a href=&quot;http://evil&quot;&gt;"), {}),
        (row("a", '<a href="http://[">n</a>') + row("b", '<a href="u">n</a>'), {"b": "http://m/u"}),
        ('<a href="app?appId=a">a</a></td><td><a href="http://d:1">old</a>', {"a": "http://d:1"}),
        ("\x00\ufffd<tr><td" + row("a", '<a href="http://d:1">n'), {"a": "http://d:1"}),
    ],
)
def test_driver_addresses_of_made_up_pages(page, expected):
    assert parse_driver_urls(Answer("http://m/", page.encode()), "http://m/") == expected


@pytest.mark.parametrize(
    "bomb", ["<a ", "<!--", '<a href="', 'href="x"', "</tr>", "&", "<a href='"]
)
def test_a_page_of_unclosed_tags_is_read_in_linear_time(bomb):
    # Python's html.parser needs minutes for a fifth of this.
    page = (bomb * (1_000_000 // len(bomb))).encode()
    assert parse_driver_urls(Answer("http://m/", page), "http://m/") == {}
