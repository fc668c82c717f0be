"""Event logs with anything wrong in them: a profile or one line of reason, and nothing else."""

from __future__ import annotations

import copy
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_writer import executor, job
from kitwai.event_log.reader import MAX_EXECUTORS, MAX_JOBS, MAX_STAGES
from read_logs_of import EVENTS, as_log, outcome

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


def places(value, path=()):
    """The paths of all values within a JSON value."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


PLACES = list(places(EVENTS))


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
