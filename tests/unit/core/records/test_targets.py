from __future__ import annotations

import math

import pytest

from kitwai.core.records.targets import at_target


@pytest.mark.parametrize(
    ("values", "target", "entry"),
    [
        ((5.0, 6.0), 1, 5.0),
        ((5.0, 6.0), 2, 6.0),
        ((5.0, 6.0), 3, None),
        ((5.0, 6.0), 0, None),
        ((math.inf, None), 1, None),
        ((math.inf, None), 2, None),
        (None, 1, None),
    ],
)
def test_an_entry_is_found_by_its_target_or_is_none(values, target, entry):
    assert at_target(values, target) == entry
