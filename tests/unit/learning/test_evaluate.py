"""The champion's challengers: which sets are asked about, whose parent is which."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from kitwai.core.policy.policy import PRIOR, ForecastPolicy
from kitwai.core.policy.state import FEATURE_NAMES
from kitwai.learning import evaluate
from kitwai.learning.evaluate import MOST_OF_A_FAMILY, newest_history, parent_of, thin
from kitwai.learning.gate import Comparison
from kitwai.learning.partition import Plan
from kitwai.learning.selection import FEWEST
from kitwai.sim.synthetic import GATE_SEED, HELD_OUT_SEED, synthetic_profiles
from kitwai.store.training import Run
from training_plan import plan

NONE = (0.0, 0.0, 0.0)
TIE = Comparison("a set", 30, 9, 100, (90, 90), NONE, NONE)


def test_the_gate_asks_about_applications_on_which_no_network_was_selected(monkeypatch):
    asked = {}

    def compare(name, trial, *candidates, whole_families):
        asked[name] = trial, whole_families
        return TIE

    monkeypatch.setattr(evaluate, "compare", compare)
    monkeypatch.setattr(evaluate, "present_champion", lambda root: "champion")
    monkeypatch.setattr(evaluate, "_newer", lambda *args: None)
    monkeypatch.setattr(evaluate, "load_policy", lambda *args: ForecastPolicy())
    monkeypatch.setattr(evaluate, "load_runs", lambda *args: {})
    real = [Run(profile, 0.0, 60.0) for profile in synthetic_profiles(5, 22)]
    evaluate.against_champion(Path(), Plan(0.0, 100.0, "N=2,T=60s"), real, "version")
    held_out, whole_families = asked["held-out applications"]
    selected = {profile.app for profile in synthetic_profiles(60, HELD_OUT_SEED)}
    assert not selected & {profile.app for profile in held_out.library.profiles}
    assert held_out.seed == GATE_SEED
    assert whole_families
    assert len({profile.family for profile in held_out.library.profiles}) >= FEWEST
    newest, whole_families = asked["the newest runs"]
    assert list(newest.library.profiles) == [run.profile for run in real]
    assert not whole_families


def add_manifest(root: Path, version: str, interval: list[str | None] | None) -> str:
    """The manifest of a version, in which ``parent_of`` reads the interval of its data."""
    manifest = {
        "version": version,
        "files": {"weights.npz": "0"},
        "features": [{"name": name} for name in FEATURE_NAMES],
        "prior": PRIOR,
        "data_interval": interval,
    }
    (root / version).mkdir()
    (root / version / "manifest.json").write_text(json.dumps(manifest))
    return version


def test_a_parent_is_the_newest_version_before(tmp_path):
    shipped = add_manifest(tmp_path, "shipped", None)
    first, second = (add_manifest(tmp_path, f"day-{day}", plan(day).interval) for day in range(2))
    (tmp_path / "spoilt").mkdir()
    (tmp_path / "spoilt" / "manifest.json").write_text("{}")
    assert parent_of(tmp_path, plan(3)) == second
    assert parent_of(tmp_path, plan(1)) == first
    assert parent_of(tmp_path, plan(0)) == shipped
    assert parent_of(tmp_path / "none", plan(0)) is None
    whole = dataclasses.replace(plan(3), since=0.0)
    assert parent_of(tmp_path, whole) == shipped


def test_a_version_carries_the_newest_runs_of_each_family():
    profile = dataclasses.replace(synthetic_profiles(1, 5)[0], inputs={"n": 0.0})
    runs = [
        Run(dataclasses.replace(profile, inputs={"n": float(at)}), at, at + 1.0)
        for at in range(MOST_OF_A_FAMILY + 2)
    ]
    (records,) = newest_history(runs).values()
    assert [record.inputs["n"] for record in records] == [float(at) for at in range(2, 42)]


@pytest.mark.parametrize(
    ("values", "most", "expected"),
    [
        ([1, 2, 3], 4, [1, 2, 3]),
        (list(range(1, 11)), 4, [2, 5, 7, 10]),
        ([5.0], 3, [5.0]),
        ([1, 2, 3, 4, 5, 6], 3, [2, 4, 6]),
    ],
)
def test_a_thinned_grid_keeps_its_last_value(values, most, expected):
    assert thin(values, most) == expected
