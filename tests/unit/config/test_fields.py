"""Times in a connection, and a fault in words."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from kitwai.config.fields import Fields, Time, TimeOrZero, first_fault


class Example(Fields):
    wait: Time = 1.0
    pause: TimeOrZero = 1.0
    count: int = 1


@pytest.mark.parametrize("zero", [0, "0", "0s"])
def test_zero_is_a_time_only_where_it_is_allowed(zero):
    assert Example(pause=zero).pause == 0.0
    with pytest.raises(ValidationError):
        Example(wait=zero)


@pytest.mark.parametrize("value", ["soon", -1, None, True, [], {"s": 1}, float("nan")])
def test_value_that_is_no_time_is_told_without_the_value(value):
    with pytest.raises(ValidationError) as caught:
        Example.model_validate({"wait": value, "other": 7})
    assert first_fault(caught.value) == (
        "extra field 'wait' is not a time: write a positive number with a unit, such as 90s, 5min "
        "or 1h."
    )
    assert "soon" not in str(caught.value)


def test_other_fault_names_its_field():
    with pytest.raises(ValidationError) as caught:
        Example(count="many")
    assert first_fault(caught.value).startswith("extra field 'count': Input should be")
