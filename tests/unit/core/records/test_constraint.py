from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitwai.core.records.constraint import Constraint, parse_duration
from kitwai.errors import InvalidInputError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("5min", 300),
        ("5m", 300),
        ("1h", 3600),
        ("1.5h", 5400),
        ("2d", 172800),
        ("1500ms", 1.5),
        (" 3 MIN ", 180),
        (42, 42),
        (0.5, 0.5),
    ],
)
def test_durations_in_spark_notation(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0min", "-5s", "5 parsecs", "min", "1e9", "nan", True])
def test_other_durations_are_refused_by_name(text):
    with pytest.raises(InvalidInputError, match="is not a time"):
        parse_duration(text)


@given(st.text())
def test_any_text_gives_seconds_or_one_clear_error(text):
    with contextlib.suppress(InvalidInputError):
        assert parse_duration(text) > 0


@pytest.mark.parametrize("most", [0, -1, 1.5, "3"])
def test_n_below_one_is_refused(most):
    with pytest.raises(InvalidInputError, match="N "):
        Constraint(most, 60.0)


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf")])
def test_t_not_above_zero_is_refused(limit):
    with pytest.raises(InvalidInputError, match="T "):
        Constraint(4, limit)


@pytest.mark.parametrize("miss", [0.0, 1.0, -0.1, 5.0, float("nan")])
def test_a_miss_probability_that_is_none_is_refused(miss):
    with pytest.raises(InvalidInputError, match="miss probability"):
        Constraint(4, 60.0, miss)
