"""`core.forecast.ended_runs`: past runs by the moment of their end."""

from __future__ import annotations

import numpy as np

from kitwai.core.forecast.ended_runs import PastRuns
from kitwai.sim.library import Library
from kitwai.sim.past_runs import records_of
from recorded_day import (
    profile,
)


def test_past_runs_come_by_the_moment_of_their_end():
    records = records_of(Library([profile("sort", size, f"{size}") for size in (1.0, 2.0, 3.0)]))
    known = PastRuns({"sort": list(zip(records, (30.0, 10.0, np.inf), strict=True))})
    apps = [[r.app for r in known.before(at)["sort"]] for at in (5.0, 10.0, 29.0, 30.0, 1e12)]
    assert apps == [[], ["2.0"], ["2.0"], ["1.0", "2.0"], ["1.0", "2.0"]]
