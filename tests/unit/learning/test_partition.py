from __future__ import annotations

import dataclasses
import json

import pytest

from kitwai.errors import InvalidInputError
from kitwai.learning.partition import Partition, Plan
from kitwai.sim.synthetic import synthetic_profiles
from kitwai.store.training import Run

DAY = 86_400.0
PLAN = Plan(since=20_000 * DAY, until=20_001 * DAY, grid="N=1..10,T=5..10m")
RUNS = [Run(one, PLAN.since + 60.0, PLAN.since + 360.0) for one in synthetic_profiles(2, 1)]


@pytest.mark.parametrize("parts", [1, 4, 7, 60])
def test_the_parts_cover_the_grid_once(parts):
    chunks = dataclasses.replace(PLAN, parts=parts).chunks
    assert len(chunks) == parts
    assert sorted(pair for chunk in chunks for pair in chunk) == sorted(PLAN.constraints)
    assert max(map(len, chunks)) - min(map(len, chunks)) <= 1


def test_a_small_grid_has_no_empty_part():
    plan = dataclasses.replace(PLAN, grid="N=2,4,T=60s", parts=4)
    assert sorted(plan.chunks) == [[(2, 60.0)], [(4, 60.0)]]


def test_the_day_and_the_interval_are_those_of_the_data():
    assert PLAN.day == "20241004"
    assert PLAN.interval == ["2024-10-04T00:00:00+00:00", "2024-10-05T00:00:00+00:00"]
    assert dataclasses.replace(PLAN, since=0.0).interval == [None, "2024-10-05T00:00:00+00:00"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"since": PLAN.until}, "must begin before it ends"),
        ({"since": -1.0}, "must begin before it ends"),
        ({"seed": -1}, "must not be negative"),
        ({"effort": 0.0}, "must lie above 0"),
        ({"effort": float("nan")}, "must lie above 0"),
        ({"effort": 11.0}, "up to 10"),
        ({"parts": 0}, "1 to 60 tasks"),
        ({"parts": 61}, "1 to 60 tasks"),
        ({"grid": "N=1..3"}, "needs both N= and T="),
        ({"grid": "N=1..11,T=5m"}, "knows up to 10 workers"),
    ],
)
def test_what_cannot_be_planned_is_refused(change, words):
    with pytest.raises(InvalidInputError, match=words):
        dataclasses.replace(PLAN, **change)


def test_a_partition_gives_back_plan_and_runs(tmp_path):
    made = Partition.make(tmp_path, PLAN, RUNS)
    again = Partition(made.folder)
    assert again.plan == PLAN
    assert again.runs() == RUNS
    assert made.folder.name.startswith("20241004-")


def test_runs_share_a_folder_only_if_all_they_depend_on_is_the_same(tmp_path):
    first = Partition.make(tmp_path, PLAN, RUNS).folder
    assert Partition.make(tmp_path, PLAN, RUNS).folder == first
    others = [
        Partition.make(tmp_path, PLAN, RUNS[:1]).folder,
        *(
            Partition.make(tmp_path, dataclasses.replace(PLAN, **change), RUNS).folder
            for change in ({"seed": 1}, {"effort": 0.5}, {"parts": 2}, {"grid": "N=2,T=60s"})
        ),
    ]
    assert len({first, *others}) == 6


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"since": 1}'])
def test_a_folder_without_a_plan_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "plan.json").write_text(content)
    with pytest.raises(InvalidInputError, match="holds no plan of a training"):
        Partition(tmp_path)


def test_a_plan_that_was_altered_is_refused(tmp_path):
    folder = Partition.make(tmp_path, PLAN, RUNS).folder
    plan = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps(plan | {"effort": -1}))
    with pytest.raises(InvalidInputError, match="must lie above 0"):
        Partition(folder)
