from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from kitwai.cli.evaluate import run_in_parts
from kitwai.cli.main import main
from kitwai.core.records.grid import parse_grid
from kitwai.core.records.profile import ApplicationProfile, StageProfile
from kitwai.errors import InvalidInputError
from kitwai.sim.baselines import make
from kitwai.sim.episodes import grid_episodes
from kitwai.sim.frontier import dominates
from kitwai.sim.judging import Constant, Judge, Outcome
from kitwai.sim.library import Library

ROW = {
    "episodes",
    "feasible",
    "hit_rate",
    "static_ratio",
    "p95_static_ratio",
    "cvs_min",
    "worker_hours",
    "lateness",
    "ops_per_episode",
}


def run_of(size: float) -> ApplicationProfile:
    stages = tuple(
        StageProfile(number, (number - 1,) if number else (), (size * 2500.0,) * 8)
        for number in range(3)
    )
    return ApplicationProfile(f"run-{size}", "family", {"gb": size}, 2, stages, "test")


@pytest.fixture(scope="module")
def judge() -> Judge:
    library = Library([run_of(size) for size in np.linspace(4.0, 36.0, 20)])
    return Judge(
        library,
        grid_episodes(
            library, "disturbed", seed=1, workers=(4, 7, 10), limits_s=(200.0, 300.0, 400.0, 500.0)
        ),
    )


@pytest.fixture
def profiles(tmp_path):
    folder = tmp_path / "profiles"
    folder.mkdir()
    for size in (8.0, 16.0, 24.0):
        one = dataclasses.asdict(run_of(size))
        (folder / f"{size}.json").write_text(json.dumps(one))
    return folder


@pytest.mark.parametrize(
    ("text", "workers", "limits_s"),
    [
        ("N=1..10,T=5..10m", list(range(1, 11)), [300.0, 360.0, 420.0, 480.0, 540.0, 600.0]),
        ("N=4,7,10,T=5m,7m,10m", [4, 7, 10], [300.0, 420.0, 600.0]),
        ("T=300s, N=10,4,4", [4, 10], [300.0]),
        ("N=1..2,5,T=90s,2..3m", [1, 2, 5], [90.0, 120.0, 180.0]),
        ("N=1,T=60..200s", [1], [60.0, 120.0, 180.0]),
    ],
)
def test_grids(text, workers, limits_s):
    assert parse_grid(text) == (workers, limits_s)


@pytest.mark.parametrize(
    "text",
    [
        *("", "4", "N=4", "T=5m", "N=4,T=5", "N=0,T=5m", "N=5..4,T=5m", "N=4,T=0m", "N=4,T=5m..6m"),
        *("N=4,N=5,T=5m", "N=4,M=5,T=5m", "N=1000,T=5m", "N=4,T=-5m", "N=4.5,T=5m", "N=,T=5m"),
    ],
)
def test_bad_grids_are_refused(text):
    with pytest.raises(InvalidInputError, match="is no grid"):
        parse_grid(text)


@pytest.mark.parametrize("name", ["hpa-backlog", "dataproc", "lookahead@0.90", "linear@0.80"])
def test_parts_change_nothing(name, judge):
    (controller,) = make([name]).values()
    ended = []
    parts = run_in_parts(judge, lambda judge, rows: controller, ended.append)
    whole = judge.run(controller)
    for field in ("finish_s", "worker_seconds", "operations"):
        np.testing.assert_array_equal(getattr(parts, field), getattr(whole, field))
    assert sum(ended) == len(judge.episodes)


def test_table_json_and_picture(profiles, tmp_path, capsys):
    out, picture = tmp_path / "out.json", tmp_path / "out.png"
    code = main(
        [
            *("evaluate", "--profiles", str(profiles), "--json", str(out)),
            *("--policies", "remaining-work,always-N,static@2,best-static"),
            *("--regime", "disturbed,recurring", "--grid", "N=3,6,T=3m,5m", "--seed", "4"),
            *("--picture", str(picture)),
        ]
    )
    assert code == 0
    results = json.loads(out.read_text())
    assert list(results) == ["regimes", "frontier"]
    assert list(results["regimes"]) == ["disturbed", "recurring"]
    table = results["regimes"]["recurring"]
    assert {"remaining-work@1.00", "remaining-work@0.60", "always-N", "static@2"} < set(table)
    assert all(set(row) == ROW and row["episodes"] == 12 for row in table.values())
    best = table["best-static"]
    assert best["hit_rate"] == best["static_ratio"] == 1.0
    # Undisturbed, no profile of this shape is better off on all N workers.
    assert table["always-N"]["static_ratio"] > 1.0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob(".*"))
    assert "remaining-work@0.80" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_json(profiles, tmp_path):
    texts = []
    for seed in (1, 1, 2):
        out = tmp_path / "out.json"
        arguments = ["--policies", "dask,lookahead@0.80", "--regime", "disturbed", "--json", out]
        arguments += ["--grid", "N=6,T=3m,5m", "--seed", seed, "--profiles", profiles]
        assert main(["evaluate", *map(str, arguments)]) == 0
        texts.append(out.read_text())
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--regime", "sunny"], "--regime names 'sunny'"),
        (["--grid", "N=4"], "it needs both N= and T="),
        (["--policies", "magic"], "There is no policy 'magic'"),
        (["--profiles", "nowhere"], "The profile directory nowhere does not exist"),
        (["--seed", "-1"], "--seed must not be negative"),
        (["--json", "no/such/folder/out.json"], "cannot be written"),
    ],
)
def test_faults_are_one_line_and_write_nothing(arguments, words, profiles, tmp_path, capfd):
    out = tmp_path / "out.json"
    given = ["--profiles", str(profiles), "--json", str(out), "--policies", "always-N"]
    assert main(["evaluate", *given, *arguments]) == 1
    lines = [line for line in capfd.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1
    assert words in lines[0]
    assert not out.exists()


def shifted(judge: Judge, of: Outcome, cost: float = 1.0, missed: int = 0) -> Outcome:
    """``of`` at another cost, with some of its hits turned into misses."""
    hit = np.flatnonzero(judge.feasible & (of.finish_s <= judge.episodes.limit_s))
    finish = of.finish_s.copy()
    finish[hit[:missed]] = 1e5
    return Outcome(finish, of.worker_seconds * cost, of.operations)


@pytest.mark.parametrize(
    ("cost", "missed", "others", "result", "beaten_by"),
    [
        (0.9, 0, (1.0, 0), True, ()),
        (1.0, 0, (1.0, 0), False, ("other",)),  # the same is not better
        (1.1, 0, (1.0, 0), False, ("other",)),
        (0.9, 1, (1.0, 0), False, ()),  # not beaten, but not as many hits as the best
        (1.1, 1, (1.0, 0), False, ("other",)),
        (1.1, 0, (1.0, 1), False, ()),  # more hits for more: not beaten, not cheaper
        (1.0, 0, (1.1, 1), True, ()),
    ],
)
def test_dominance(cost, missed, others, result, beaten_by, judge):
    best = judge.run(Constant(judge.best))
    agent = shifted(judge, best, cost, missed)
    found, verdict = dominates(agent, {"other": shifted(judge, best, *others)}, judge, seed=0)
    assert (found, verdict.beaten_by, verdict.rival) == (result, beaten_by, "other")
    assert verdict.hits == judge.feasible.sum() - missed


def test_dominance_asks_for_more_than_chance(judge):
    """Cheaper on average, but by a few episodes: the interval holds 0."""
    best = judge.run(Constant(judge.best))
    cost = best.worker_seconds * np.random.default_rng(0).choice([0.7, 1.29], len(best.finish_s))
    agent = Outcome(best.finish_s, cost, best.operations)
    found, verdict = dominates(agent, {"best": best}, judge, seed=0)
    assert verdict.saving_low < 0.0 < verdict.saving_high
    assert not found
    assert "does not dominate" in verdict.sentence()


def test_the_rival_is_the_cheapest_of_those_with_most_hits(judge):
    best = judge.run(Constant(judge.best))
    rivals = {
        "dear": shifted(judge, best, 1.5),
        "fair": shifted(judge, best, 1.2),
        "late": shifted(judge, best, 0.5, missed=10),
    }
    found, verdict = dominates(shifted(judge, best, 1.1), rivals, judge, seed=0)
    assert found
    assert verdict.rival == "fair"
    assert verdict.saving == pytest.approx(0.1, abs=1e-3)


def test_without_baselines_nothing_is_dominated(judge):
    found, verdict = dominates(judge.at_most, {}, judge, seed=0)
    assert not found
    assert verdict.rival is None
