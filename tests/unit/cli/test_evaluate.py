from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from judged import disturbed_judge, run_of
from kitwai.cli.evaluate import run_in_parts
from kitwai.cli.main import main
from kitwai.sim.baselines import make
from kitwai.sim.judging import Judge

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


@pytest.fixture(scope="module")
def judge() -> Judge:
    return disturbed_judge()


@pytest.fixture
def profiles(tmp_path):
    folder = tmp_path / "profiles"
    folder.mkdir()
    for size in (8.0, 16.0, 24.0):
        one = dataclasses.asdict(run_of(size))
        (folder / f"{size}.json").write_text(json.dumps(one))
    return folder


@pytest.mark.parametrize("name", ["hpa-backlog", "dataproc", "lookahead@0.90", "linear@0.80"])
def test_parts_change_nothing(name, judge):
    (controller,) = make([name]).values()
    ended = []
    parts = run_in_parts(judge, lambda judge, rows: controller, ended.append)
    whole = judge.run(controller)
    for field in ("finish_s", "worker_seconds", "operations"):
        np.testing.assert_array_equal(getattr(parts, field), getattr(whole, field))
    assert sum(ended) == len(judge.episodes)


@pytest.mark.slow
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
