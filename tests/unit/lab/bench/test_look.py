"""`kitwai bench look`: what it measures, not how long it takes."""

from __future__ import annotations

import pytest

from kitwai_lab.bench.look import figures_of, measure_looks


@pytest.mark.slow
def test_first_looks_and_later_looks_are_measured():
    looks = measure_looks(2, new=50, looks=2, tasks=3000)
    first, later = looks
    assert (first.told, later.told) == ("quantiles", "tasks")
    assert (first.applications, len(first.seconds), later.new) == (2, 2, 50)
    # Two lists of 50 tasks and more, of about 1.8 KB each.
    assert first.mb < 0.05 < 0.15 < later.mb < 0.4
    assert [one["median_s"] for one in figures_of(list(looks))] == [
        first.median_s,
        later.median_s,
    ]
