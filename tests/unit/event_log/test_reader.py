"""`event_log.reader`: event logs read, or refused with one clear error."""

from __future__ import annotations

import os

import pytest

from event_writer import event, two_jobs, write
from kitwai.errors import InvalidInputError
from kitwai.event_log.reader import read_event_log
from kitwai.event_log.to_profile import profile_of


def profile(path, *events, **more):
    return profile_of(read_event_log(write(path, *events, **more)), source="test")


def another():
    start = {"App Name": "count", "App ID": "app-2", "Timestamp": 1_000}
    return event("ApplicationStart", **start)


def test_compressed_logs_read_the_same(tmp_path):
    assert profile(tmp_path / "log.gz", *two_jobs()) == profile(tmp_path / "log", *two_jobs())


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda path: path, "does not exist"),
        (lambda path: path.mkdir() or path, "no file events_"),
        (lambda path: os.mkfifo(path), "it is no file"),
        (lambda path: path.write_text('{"Event":"SparkListenerJobStart"}\n'), "line 1 is no Spark"),
        (lambda path: path.write_text("once upon a time\n"), "line 1 is no event"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00\n"), "line 1 is no event"),
        (lambda path: path.write_text(""), "does not hold the start"),
        (lambda path: write(path, *two_jobs(), end=None), "does not hold the end"),
        (lambda path: write(path, *two_jobs(), end=999), "ends before it starts"),
        (lambda path: write(path, *two_jobs(), another()), "more than one application"),
    ],
)
def test_what_is_no_event_log_is_one_clear_error(make, fault, tmp_path):
    path = tmp_path / "log"
    make(path)
    with pytest.raises(InvalidInputError, match=fault):
        read_event_log(path)


def test_a_damaged_compressed_log_is_one_clear_error(tmp_path):
    path = write(tmp_path / "log.gz", *two_jobs())
    data = bytearray(path.read_bytes())
    data[30:60] = bytes(30)
    path.write_bytes(data)
    with pytest.raises(InvalidInputError, match=r"log\.gz"):
        read_event_log(path)
