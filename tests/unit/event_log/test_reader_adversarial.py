"""Event logs with anything wrong in them: a profile or one line of reason, and nothing else."""

from __future__ import annotations

import copy
import json
import random
import tempfile
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_writer import executor, job, submitted, task, two_jobs, write
from kitwai.core.records.profile import ApplicationProfile
from kitwai.event_log.folder import read_logs
from kitwai.event_log.lines import wanted_lines
from kitwai.event_log.reader import MAX_EXECUTORS, MAX_JOBS, MAX_STAGES
from kitwai.sim.library import Library

HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([-1, 0, 2**31 - 1, 2**31, 2**53, 2**63 - 1, 2**64, 10**400]),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.integers(-5, 10), max_size=5),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)


def events_of_a_log() -> list:
    with tempfile.TemporaryDirectory() as folder:
        text = write(Path(folder) / "log", *two_jobs()).read_text()
    return [json.loads(line) for line in text.splitlines()]


EVENTS = events_of_a_log()


def places(value, path=()):
    """The paths of all values within a JSON value."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


PLACES = list(places(EVENTS))


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


@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(PLACES) - 1), HOSTILE, st.booleans()), min_size=1, max_size=3
    )
)
@settings(deadline=None, max_examples=400)
def test_any_value_anywhere(changes):
    events = copy.deepcopy(EVENTS)
    for number, value, gone in changes:
        *path, last = PLACES[number]
        inside = events
        try:
            for key in path:
                inside = inside[key]
            if gone:
                del inside[last]
            else:
                inside[last] = value
        except (KeyError, IndexError, TypeError):
            continue  # another change has taken this place away
    outcome(as_log(events))


@given(seed=st.integers(0, 2**32), copies=st.integers(1, 3))
@settings(deadline=None, max_examples=100)
def test_events_in_any_order_any_number_of_times_and_some_not_at_all(seed, copies):
    rng = random.Random(seed)
    events = [one for one in EVENTS * copies if rng.random() < 0.9]
    rng.shuffle(events)
    outcome(as_log(events))


@given(data=st.data())
@settings(deadline=None, max_examples=200)
def test_any_bytes_anywhere(data):
    log = bytearray(as_log(EVENTS))
    at = data.draw(st.integers(0, len(log)))
    log[at : at + data.draw(st.integers(0, 50))] = data.draw(st.binary(max_size=50))
    outcome(bytes(log))


@given(
    lines=st.lists(
        st.tuples(st.sampled_from(["A", "B", "C"]), st.integers(0, 700), st.booleans()), max_size=8
    ),
    size=st.integers(1, 400),
    ended=st.booleans(),
)
@settings(deadline=None, max_examples=200)
def test_wanted_lines_come_out_whole_however_the_pieces_are_cut(lines, size, ended):
    texts = [
        b'{"Event":"%s","x":"%s"}%s' % (name.encode(), b"y" * count, b"\r" * carriage)
        for name, count, carriage in lines
    ]
    data = b"\n".join(texts) + b"\n" * ended
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    expected = [
        (number, name.encode(), text)
        for number, ((name, *_), text) in enumerate(zip(lines, texts, strict=True), start=1)
        if name != "B"
    ]
    assert list(wanted_lines(pieces, {b"A", b"C"})) == expected


@given(st.binary(max_size=500))
@settings(deadline=None)
def test_any_file(data):
    outcome(data)


def test_the_same_events_twice_change_nothing():
    once = outcome(as_log(EVENTS))
    twice = outcome(as_log([*EVENTS[:-1], *EVENTS]))
    assert twice.profile.stages == once.profile.stages


@pytest.mark.parametrize("cut", [1, 30])
def test_a_cut_last_line_after_the_end_does_no_harm(cut):
    whole = as_log(EVENTS)
    again = as_log(EVENTS[-2:-1])
    assert outcome(whole + again[:-cut]).profile is not None


def test_a_log_cut_anywhere_else_has_no_end():
    whole = as_log(EVENTS)
    for at in range(0, len(whole) - 80, 97):
        assert "does not hold the" in outcome(whole[:at]).reason


@pytest.mark.parametrize(
    "line",
    [
        b'{"Event":"SparkListenerTaskEnd","x":' + b"[" * 200_000 + b"\n",
        b'{"x":' * 200_000 + b"\n",
        b'{"x":1}\n',
        b'{"Event":5}\n',
        b"[]\n",
        b"null\n",
        b'{"Event":"SparkListenerTaskEnd"}\n',
        b'{"Event":"SparkListenerTaskEnd","Stage ID":1e999}\n',
    ],
    ids=range(8),
)
def test_a_line_that_is_no_event_is_named(line):
    log = outcome(as_log(EVENTS[:3]) + line + as_log(EVENTS[3:]))
    assert log.reason.startswith("line 4 is no ")


def test_long_lines_of_other_events_do_no_harm():
    long = (
        b'{"Event":"org.apache.spark.sql.SparkListenerOther","plan":"' + b"x" * 5_000_000 + b'"}\n'
    )
    assert outcome(as_log(EVENTS[:3]) + long + as_log(EVENTS[3:])).profile is not None


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ([job(n, 2_000, 3_000, {})[0] for n in range(MAX_JOBS + 1)], "jobs"),
        ([job(0, 2_000, 3_000, {n: [] for n in range(MAX_STAGES + 1)})[0]], "stages"),
        ([executor(str(n), 2_000) for n in range(MAX_EXECUTORS + 1)], "executors"),
    ],
    ids=["jobs", "stages", "executors"],
)
def test_more_than_any_application_has_is_refused(lines, what):
    log = outcome(as_log([*EVENTS[:3], *lines, *EVENTS[3:]]))
    assert log.reason.startswith("it names more than")
    assert log.reason.endswith(what)


@pytest.mark.timeout(60)
def test_the_most_tangled_stages_are_read_in_time():
    """1,000 stages that ran, each waiting for all before it by way of stages that never ran."""
    stages, skipped = range(0, 2_000, 2), range(1, 2_000, 2)
    parents = {one: [*range(1, one, 2)] for one in stages} | {one: [one - 1] for one in skipped}
    begin, end = job(0, 2_000, 9_000_000, dict(sorted(parents.items())))
    events = [executor("1", 1_500), begin]
    for one in stages:
        at_ms = 2_000 + 10 * one
        events += [submitted(one, at_ms), task(one, 0, at_ms, at_ms + 15)]
    log = outcome(as_log([*EVENTS[:3], *events, end, EVENTS[-1]]))
    assert len(log.profile.stages[-1].parents) == 999
