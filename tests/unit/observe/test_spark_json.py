"""`observe.spark_json`: moments as Spark writes them, read fast and read strictly."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from kitwai.observe.spark_json import MaybeMoment, Moment

MOMENT: TypeAdapter[float] = TypeAdapter(Moment)


@pytest.mark.parametrize(
    ("written", "epoch_s"),
    [
        ("1970-01-01T00:00:00.000GMT", 0.0),
        ("2026-11-25T01:09:31.766GMT", 1_795_568_971.766),
        ("2026-11-25T01:09:31.766+0000", 1_795_568_971.766),
        ("2026-11-25T02:09:31.766+0100", 1_795_568_971.766),
        ("2026-11-25T01:09:31.7GMT", 1_795_568_971.7),
        ("1969-12-31T23:59:59.999GMT", -0.001),
    ],
)
def test_a_moment(written, epoch_s):
    assert MOMENT.validate_python(written) == pytest.approx(epoch_s, abs=1e-6)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "yesterday",
        "2026-11-25",
        "2026-13-25T01:09:31.766GMT",
        "2026-11-25T25:09:31.766GMT",
        "2026-11-25 01:09:31.766GMT",
        "2026-11-25T01:09:31.766",
        "2026-W48-3T01:09:31.766GMT",
        "2026-11-25T01:09:31.766GMT" * 10_000,
        1_795_568_971,
        None,
    ],
    ids=lambda written: str(written)[:30],
)
def test_what_is_no_moment_is_refused(written):
    with pytest.raises(ValidationError):
        MOMENT.validate_python(written)


def test_a_moment_may_be_missing():
    assert TypeAdapter(MaybeMoment).validate_python(None) is None
