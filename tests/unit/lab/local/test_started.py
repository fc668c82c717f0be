from __future__ import annotations

import pytest

from kitwai_lab.local.started import Started


class Part(Started):
    def __init__(self):
        self.calls = []

    def start(self):
        self.calls.append("start")

    def stop(self):
        self.calls.append("stop")


def test_with_statement_starts_and_stops_the_part():
    with Part() as part:
        assert part.calls == ["start"]
    assert part.calls == ["start", "stop"]


def test_error_stops_the_part_and_goes_on():
    part = Part()
    with pytest.raises(ZeroDivisionError), part:
        raise ZeroDivisionError
    assert part.calls == ["start", "stop"]
