"""`core.records.grid`: grids of constraints as people write them."""

from __future__ import annotations

import pytest

from kitwai.core.records.grid import parse_grid
from kitwai.errors import InvalidInputError


@pytest.mark.parametrize(
    ("text", "workers", "limits_s"),
    [
        ("N=1..10,T=5..10m", list(range(1, 11)), [300.0, 360.0, 420.0, 480.0, 540.0, 600.0]),
        ("N=4,7,10,T=5m,7m,10m", [4, 7, 10], [300.0, 420.0, 600.0]),
        ("T=300s, N=10,4,4", [4, 10], [300.0]),
        ("N=1..2,5,T=90s,2..3m", [1, 2, 5], [90.0, 120.0, 180.0]),
        ("N=1,T=60..200s", [1], [60.0, 120.0, 180.0]),
    ],
)
def test_grids(text, workers, limits_s):
    assert parse_grid(text) == (workers, limits_s)


@pytest.mark.parametrize(
    "text",
    [
        *("", "4", "N=4", "T=5m", "N=4,T=5", "N=0,T=5m", "N=5..4,T=5m", "N=4,T=0m", "N=4,T=5m..6m"),
        *("N=4,N=5,T=5m", "N=4,M=5,T=5m", "N=1000,T=5m", "N=4,T=-5m", "N=4.5,T=5m", "N=,T=5m"),
    ],
)
def test_bad_grids_are_refused(text):
    with pytest.raises(InvalidInputError, match="is no grid"):
        parse_grid(text)
