from __future__ import annotations

import json

import pytest

from kitwai.core.records.profile import ApplicationProfile, StageProfile, load_profiles
from kitwai.errors import InvalidInputError
from kitwai.sim.constants import MEASURED, constants, spark_config
from kitwai.sim.simulator import SimulatorConfig
from kitwai_lab.bench.calibrate import record
from kitwai_lab.bench.fidelity import Plan, simulate, started_on
from kitwai_lab.bench.spark_run import Change


def test_the_measured_constants_are_there_and_plausible():
    config = spark_config(step_s=10.0, start_workers=3)
    assert (config.step_s, config.start_workers) == (10.0, 3)
    assert 1.0 < config.start_delay_s < 60.0
    assert 0.0 < config.first_task_s < 30.0
    assert 0.0 < config.task_overhead_s < 0.5
    assert 0.0 < config.drain_s < 60.0
    assert config.stage_overhead_s == 0.0
    assert spark_config(gaps_measured=False).stage_overhead_s > 0.0
    more = constants()["first_task_stagger_s"]
    assert spark_config(together=3.0).first_task_s == pytest.approx(config.first_task_s + 2 * more)


def test_every_constant_has_its_spread():
    for one in json.loads(MEASURED.read_text())["constants"].values():
        assert one["p10"] <= one["median"] <= one["p90"]
        assert one["count"] >= 1


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"constants": {"drain_s": 3}}', '{"constants": {"drain_s": {}}}']
)
def test_what_holds_no_constants_is_one_clear_error(text, tmp_path):
    path = tmp_path / "constants.json"
    path.write_text(text)
    with pytest.raises(InvalidInputError, match=r"constants\.json"):
        constants(path)


def test_a_missing_constant_is_named(tmp_path):
    path = tmp_path / "constants.json"
    path.write_text('{"constants": {"drain_s": {"median": 3}}}')
    with pytest.raises(InvalidInputError, match="start_delay_s"):
        spark_config(path=path)


def test_starting_together_gives_a_constant_per_further_worker():
    samples = {
        "application_start_s@1": [4.0],
        "application_start_s@3": [6.0],
        "start_delay_s@1": [8.0, 10.0, 12.0],
        "start_delay_s@3": [16.0],
        "first_task_s@1": [2.0],
        "first_task_s@2": [3.0, 4.0],
        "drain_s": [1.0, 2.0, 3.0],
    }
    found = record(samples)["constants"]
    medians = {name: one["median"] for name, one in found.items()}
    assert medians == {
        "application_start_s": 4.0,
        "application_stagger_s": 1.0,
        "start_delay_s": 10.0,
        "start_stagger_s": 3.0,
        "first_task_s": 2.0,
        "first_task_stagger_s": 1.5,
        "drain_s": 2.0,
    }
    assert found["drain_s"] == {"median": 2.0, "p10": 1.2, "p90": 2.8, "count": 3}


def test_a_plan_is_simulated_change_by_change():
    stage = StageProfile(id=0, parents=(), task_ms=(1_000.0,) * 40, gap_ms=5_000.0)
    profile = ApplicationProfile("app", "family", {}, 1, (stage,), "test")
    config = SimulatorConfig(start_delay_s=5.0, drain_s=0.0)
    assert simulate(profile, Plan(1), config) == pytest.approx(45.0)
    # 20 tasks by 25 s, when three more take tasks.
    assert simulate(profile, Plan(1, (Change(20.0, 4),)), config) == pytest.approx(30.0)
    # 20 tasks by 10 s, and then one worker instead of four.
    assert simulate(profile, Plan(4, (Change(10.0, 1),)), config) == pytest.approx(30.0)


def test_more_workers_start_later():
    stage = StageProfile(id=0, parents=(), task_ms=(1_000.0,), gap_ms=9_000.0)
    child = StageProfile(id=1, parents=(0,), task_ms=(1_000.0,), gap_ms=10.0)
    profile = ApplicationProfile("app", "family", {}, 2, (stage, child), "test")
    more_ms = 1_000.0 * constants()["application_stagger_s"]
    assert [one.gap_ms for one in started_on(4, profile).stages] == [9_000.0 + more_ms, 10.0]
    assert started_on(3, profile) == profile


def test_profiles_of_real_runs_are_shipped():
    profiles = load_profiles(MEASURED.parent / "profiles")
    sizes = {}
    for profile in profiles:
        assert profile.source == "kitwai bench fidelity"
        sizes.setdefault(profile.family, set()).add(profile.inputs["size"])
    assert set(sizes) == {"kitwai-wide", "kitwai-rounds", "kitwai-skewed"}
    assert all(len(one) >= 3 for one in sizes.values())
