"""A small training, of a day each."""

from __future__ import annotations

from kitwai.learning.partition import Plan

DAY = 86_400.0
FIRST = 20_000 * DAY


def plan(day: int = 0, **changes) -> Plan:
    since = FIRST + day * DAY
    usual = {"grid": "N=2,6,T=120s,300s", "effort": 0.02, "parts": 1}
    return Plan(since, since + DAY, **(usual | changes))
