"""`kitwai_lab.bench.look_gap`: which gaps count."""

from __future__ import annotations

import pytest

from kitwai_lab.bench.look_gap import LookGap, gaps


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([70.0, 85.0, 99.0, 115.0, 131.0], (16.0, 16.0)),
        ([100.0, 136.0], (36.0,)),
        ([115.0, 130.0], (15.0,)),
    ],
)
def test_the_gap_that_holds_the_begin_counts_and_no_earlier_one(looks, expected):
    assert gaps(looks, begun=100.0) == expected


def test_the_longest_gap_is_that_of_both_parts():
    assert LookGap((15.0, 21.0), (16.0, 15.0), 20.0, 30.0).most_s == 21.0
    assert LookGap((15.0, 14.0), (16.0, 36.0), 20.0, 30.0).most_s == 36.0
