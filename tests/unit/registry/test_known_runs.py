"""`registry.known_runs`: which past runs a version knew at a moment."""

from __future__ import annotations

import pytest

from kitwai.registry.known_runs import OwnRuns, known_runs
from kitwai.sim.library import Library
from kitwai.sim.past_runs import records_of
from recorded_day import (
    START,
    profile,
    save_checkpoint,
)


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({"created": "2020-01-01"}, True),
        ({"created": "2035-01-01"}, False),
        ({"created": "2035-01-01", "data_interval": ["2019-01-01", "2020-01-01T00:00:00"]}, True),
        ({"created": None}, False),
        ({"created": "yesterday", "data_interval": [None, 7]}, False),
    ],
)
def test_a_run_whose_end_nobody_told_had_ended_when_its_version_was_made(tmp_path, changes, known):
    save_checkpoint(tmp_path, "one", [profile("sort", 1.0, "app")], **changes)
    assert bool(known_runs(tmp_path, "one", {}).before(START).get("sort")) is known
    assert known_runs(tmp_path, "one", {"app": START - 1.0}).before(START)["sort"]


def test_a_clusters_own_file_comes_before_the_versions_runs(tmp_path):
    runs = [profile("sort", 1.0, "a"), profile("join", 1.0, "b")]
    save_checkpoint(tmp_path, "one", runs)
    (record,) = records_of(Library([profile("sort", 2.0, "own")]))
    known = known_runs(tmp_path, "one", {}, OwnRuns({"sort": [record]}, START - 5.0)).before(START)
    assert [one.app for one in known["sort"]] == ["own"]
    assert [one.app for one in known["join"]] == ["b"]
    late = known_runs(tmp_path, "one", {}, OwnRuns({"sort": [record]}, START + 5.0)).before(START)
    assert late["sort"] == ()
