"""`kitwai bench real` on one tiny application, from the first run to the figures."""

from __future__ import annotations

import json

import pytest

from kitwai.store.store import Store
from kitwai_lab.bench.real.again import forecasts_again
from kitwai_lab.bench.real.applications import own
from kitwai_lab.bench.real.planning import Campaign, run_all
from kitwai_lab.bench.real.record import CLUSTER
from kitwai_lab.bench.real.reporting import figures_of_all
from kitwai_lab.bench.real.shapes import SCRIPT

pytestmark = [pytest.mark.integration]

CAMPAIGN = Campaign(max_workers=2, step_s=2.0, constants=(1,), settle_s=0.0)
RUNS = ["constant-1", "known", "unknown"]


def test_an_application_is_run_judged_and_not_run_again(tmp_path):
    application = own(SCRIPT, ["short-stages", "--size", "2"], limit_s=240.0)
    said: list[str] = []
    run_all([application], CAMPAIGN, tmp_path, said.append)
    folder = tmp_path / "shapes"
    assert sorted(record.parent.name for record in folder.glob("*/run.json")) == RUNS
    # Only what is worth keeping is kept.
    assert not list(folder.glob("*/cluster"))
    for name in RUNS:
        store = Store(f"sqlite:///{folder / name / 'kitwai.db'}")
        decisions = [stored.decision for stored in store.decisions(CLUSTER)]
        store.engine.dispose()
        assert decisions
        assert {decision.mode.value for decision in decisions} == {
            "suggest" if name == "constant-1" else "auto"
        }
    history = json.loads((folder / "known" / "history.json").read_text())
    assert list(history["families"]) == ["real-shapes"]

    figures = figures_of_all([folder], CAMPAIGN)
    (row,) = figures["rows"]
    assert row["best_constant"] == 1
    assert row["constants"]["1"]["ratio"] == 1.0
    for run in (row["constants"]["1"], row["unknown"], row["known"]):
        assert run["failed_tasks"] == run["failed_steps"] == 0
        # Two stages of twelve tasks of 0.6 s, on at most four slots.
        assert run["hit"]
        assert run["finish_s"] > 3.0
        assert run["worker_seconds"] >= run["finish_s"]
    assert set(row["simulated"]) == {"constants", "unknown", "known"}
    assert {again["run"] for again in forecasts_again([folder])} == set(RUNS)

    said.clear()
    run_all([application], CAMPAIGN, tmp_path, said.append)
    assert said == ["3 runs, 3 of them done before."]
