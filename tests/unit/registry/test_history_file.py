"""`registry.history_file`: past runs written to a file and read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kitwai.errors import InvalidInputError
from kitwai.registry.history_file import history_text, parse_history, read_history
from kitwai.sim.library import Library
from kitwai.sim.past_runs import history_of
from kitwai.sim.synthetic import synthetic_profiles

PATH = Path("runs.json")
HISTORY = history_of(Library(synthetic_profiles(4, 1)))


def test_a_history_comes_back_and_gives_the_same_text():
    text = history_text(HISTORY)
    read = parse_history(text.encode(), PATH)
    assert read.keys() == HISTORY.keys()
    assert history_text(read) == text


@pytest.mark.parametrize(
    "changes",
    [
        {"stage_work_s": []},
        {"stage_work_s": [-1.0]},
        {"stage_tasks": [0.0]},
        {"gap_s": [-0.1]},
        {"loss": [0.0]},
        {"level": [float("nan")] * 10},
        {"inputs": {"size": float("inf")}},
        {"cores": "many"},
        {"warm_up_s": -1.0},
        {"warm_up_s": float("nan")},
        {"warm_up_s": "long"},
        {"workers": 0.0},
        {"workers": "many"},
    ],
)
def test_a_run_that_does_not_fit_together_is_refused(changes):
    data = json.loads(history_text(HISTORY))
    run = next(iter(data["families"].values()))[0]
    run |= {"stage_work_s": [1.0], "stage_tasks": [1.0], "gap_s": [0.0]}
    assert parse_history(json.dumps(data).encode(), PATH)
    run |= changes
    with pytest.raises(InvalidInputError, match=r"runs\.json is not a history"):
        parse_history(json.dumps(data).encode(), PATH)


def test_the_warm_up_comes_back_where_a_run_tells_it():
    (name, (first, *others)), *_ = HISTORY.items()
    runs = {name: [replace(first, warm_up_s=3.25, workers=2.5), *(replace(run) for run in others)]}
    read = parse_history(history_text(runs).encode(), PATH)[name]
    assert [run.warm_up_s for run in read] == [3.25, *([None] * len(others))]
    assert [run.workers for run in read] == [2.5, *([None] * len(others))]
    assert "warm_up_s" not in history_text({name: [first]})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InvalidInputError, match="none cannot be read"):
        read_history(tmp_path / "none")
