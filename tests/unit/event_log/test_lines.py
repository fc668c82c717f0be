"""`event_log.lines`: the lines of wanted events."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitwai.event_log.lines import wanted_lines
from read_logs_of import EVENTS, as_log, outcome


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
