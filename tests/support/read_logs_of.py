"""Bytes read as an event log, with what must hold whatever they are."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from event_writer import two_jobs, write
from kitwai.core.records.profile import ApplicationProfile
from kitwai.event_log.folder import read_logs
from kitwai.sim.library import Library


def events_of_a_log() -> list:
    with tempfile.TemporaryDirectory() as folder:
        text = write(Path(folder) / "log", *two_jobs()).read_text()
    return [json.loads(line) for line in text.splitlines()]


EVENTS = events_of_a_log()


def outcome(data: bytes):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "log").write_bytes(data)
        (log,) = read_logs(Path(folder))
    if log.profile is None:
        assert log.reason.isprintable()
        assert 0 < len(log.reason) < 1_100
    else:
        assert log.reason is None
        # It is whole: it can be stored, read back and simulated.
        text = json.dumps(asdict(log.profile), allow_nan=False)
        assert ApplicationProfile.from_dict(json.loads(text)) == log.profile
        Library([log.profile])
    return log


def as_log(events) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in events)
