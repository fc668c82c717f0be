"""`kitwai day`: policies compared over one simulated day."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from kitwai.cli.main import main
from kitwai.sim.synthetic import synthetic_profiles


def write_profiles(folder: Path, profiles) -> Path:
    folder.mkdir()
    for number, one in enumerate(profiles):
        data = dataclasses.asdict(one)
        for stage in data["stages"]:
            for key in ("input_bytes", "shuffle_read_bytes", "shuffle_write_bytes"):
                del stage[key]
        data["slowdown"] = {str(slots): ratio for slots, ratio in one.slowdown.items()}
        (folder / f"{number:02}.json").write_text(json.dumps(data), encoding="utf-8")
    return folder


@pytest.mark.slow
def test_the_command_compares_policies_over_profiles_of_several_folders(tmp_path, capsys):
    some = synthetic_profiles(12, seed=2)
    one = write_profiles(tmp_path / "one", some[:6])
    two = write_profiles(tmp_path / "two", some[6:])
    out = tmp_path / "day.json"
    command = ["day", "--profiles", str(one), "--profiles", str(two), "--hours", "1"]
    command += ["--workers", "8", "--policies", "always-N,remaining-work@0.80,hpa-cpu"]
    assert main([*command, "--json", str(out)]) == 0
    report = json.loads(out.read_text())
    assert list(report["policies"]) == ["always-N", "remaining-work@0.80", "hpa-cpu"]
    always, fewest = report["constant"]["always-N"], report["constant"]["fewest"]
    assert fewest["limits_met"] >= always["limits_met"]
    assert fewest["workers"] <= always["workers"] == 8
    for row in report["policies"].values():
        assert row["most_workers"] <= 8
        assert row["applications"] == report["day"]["applications"]
        assert row["hours_share"] == pytest.approx(
            row["worker_hours"] / fewest["worker_hours"], abs=1e-3
        )
    assert "remaining-work@0.80" in capsys.readouterr().out
    assert [path.name for path in tmp_path.glob("*.part")] == []
    assert [path.name for path in tmp_path.glob(".new-*")] == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--policies", "hope"], "hope"),
        (["--seed", "-1"], "--seed"),
        (["--workers", "0"], "--workers"),
        (["--regime", "calm"], "calm"),
        (["--hours", "0"], "hours"),
        (["--profiles", "nowhere"], "nowhere"),
        (["--json", "nowhere/day.json"], "nowhere"),
    ],
)
def test_what_the_command_cannot_use_is_one_line(options, named, tmp_path, capsys):
    folder = write_profiles(tmp_path / "one", synthetic_profiles(2, seed=2))
    command = ["day", "--profiles", str(folder), "--json", str(tmp_path / "day.json")]
    assert main([*command, "--policies", "always-N", *options]) == 1
    error = capsys.readouterr().err.strip()
    assert named in error
    assert len(error.splitlines()) == 1
