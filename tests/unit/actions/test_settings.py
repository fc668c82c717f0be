"""What people set takes effect in the next step, and in none that was decided before."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from asked_cluster import LOCAL, NOW, Hook, set_
from builders import application, observation, settings, stage
from kitwai.actions.settings import settings_in_force
from kitwai.cli.main import main
from kitwai.core.decide.cluster import decide
from kitwai.core.decide.guardrails import guard_cluster
from kitwai.core.records.observation import Past
from kitwai.core.records.overrides import Control, check_control
from kitwai.core.records.settings import Mode, Pause, Pin
from kitwai.errors import InvalidInputError
from kitwai.metrics.prometheus_text import prometheus_text
from kitwai.store.store import Store

BUSY = application(stage(tasks=400, complete=40), limit_s=300.0)


@pytest.fixture
def store(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 's.db'}"
    monkeypatch.setenv("AIRFLOW__KITWAI__STORE", url)
    return Store(url)


def test_controls_come_over_the_connection_and_a_run_over_controls(store):
    set_(store, "mode", "suggest")
    set_(store, "max_workers", 4)
    set_(store, "pin", 3, 2000.0)
    made = settings_in_force(Hook(LOCAL), store, NOW)
    assert (made.mode, made.constraint.max_workers) == (Mode.SUGGEST, 4)
    by_hand = settings_in_force(Hook(LOCAL, mode="auto", max_workers=6), store, NOW)
    assert (by_hand.mode, by_hand.constraint.max_workers) == (Mode.AUTO, 6)
    assert by_hand.pin == Pin(3, 2000.0, "ada")
    assert settings_in_force(Hook(LOCAL), store, 2000.0).pin is None


def test_what_cannot_be_used_any_more_is_named_and_left_out(store):
    for name, value in (("mode", "auto"), ("limit", "soon"), ("max_workers", 4)):
        set_(store, name, value)
    made = settings_in_force(Hook({}), store, NOW)
    assert made.mode is Mode.SUGGEST
    assert made.constraint.max_workers == 4
    reason = decide(observation(2), made).reason
    assert "The mode that ada set is left out: mode auto needs a pool" in reason
    assert "The limit that ada set is left out: 'soon' is not a time" in reason


def test_a_mode_that_needs_a_pool_is_refused_when_it_is_set():
    without = Hook({}).config.settings
    for mode in ("auto", "approve"):
        with pytest.raises(InvalidInputError, match="needs a pool"):
            check_control(Control("mode", mode, NOW, "ada"), without)
    check_control(Control("mode", "suggest", NOW, "ada"), without)
    check_control(Control("mode", "approve", NOW, "ada"), Hook(LOCAL).config.settings)


def test_kitwai_decide_heeds_what_was_set(store, monkeypatch, capsys):
    connection = {"conn_type": "spark_cluster", "host": "127.0.0.1", "port": 1, "extra": LOCAL}
    monkeypatch.setenv("AIRFLOW_CONN_TEST", json.dumps(connection))
    set_(store, "pause", "on", time.time() + 600)
    set_(store, "max_workers", 4)
    set_(store, "limit", "5min")
    assert main(["decide", "--cluster", "test", "-T", "8min"]) == 1  # the master does not answer
    made = json.loads(capsys.readouterr().out)
    assert "ada paused it until" in made["reason"]
    assert (made["constraint"]["max_workers"], made["constraint"]["limit_s"]) == (4, 480.0)


# --- pin and pause


def pinned(target=7, **changes):
    return settings(pin=Pin(target, 1_800_000_000.0, "ada"), **changes)


def test_a_pin_is_the_target_and_what_the_policy_asked_for_stays_visible():
    free, made = decide(observation(2, BUSY), settings()), decide(observation(2, BUSY), pinned())
    assert (free.target, made.target) != (7, free.target)
    note = made.guardrails[-1]
    assert (note.name, note.before, note.after) == ("pin", free.target, 7)
    assert "ada pinned the target to 7 until 2027-01-15 08:00:00 UTC." in made.reason
    assert made.reason.startswith(free.reason)
    assert made.applications == free.applications


@pytest.mark.parametrize(
    ("seen", "of", "target"),
    [
        (observation(2, BUSY), pinned(12), 10),  # never above N
        (observation(2), pinned(1, min_workers=2), 1),  # a person may go below what usually stays
        (observation(2, BUSY, past=Past(operation="A scaling")), pinned(), 2),
        (observation(2, BUSY, past=Past(since_scale_out_s=1.0, changes_1h=500)), pinned(), 7),
        (observation(2, BUSY, at=900.0), pinned(), 2),  # stale: nothing new is known
        (observation(2, BUSY, pool=None), pinned(), 2),
        (observation(2, applications=None), pinned(), 7),  # drivers do not matter to it
    ],
)
def test_what_holds_for_a_pin(seen, of, target):
    of = replace(of, flap_budget=10)
    assert decide(seen, of, now=NOW).target == target


def test_a_pause_goes_on_deciding():
    free = decide(observation(2, BUSY), settings())
    made = decide(observation(2, BUSY), settings(pause=Pause(1_800_000_000.0, "ada")))
    assert made.target == free.target
    assert made.reason.endswith("Nothing is touched: ada paused it until 2027-01-15 08:00:00 UTC.")


# --- flap budget


@pytest.mark.parametrize(
    ("target", "used", "urgent", "after"),
    [
        (5, 7, False, 5),
        (5, 8, False, 2),
        (5, 8, True, 5),
        (1, 9, False, 1),
        (1, 10, False, 2),
        (1, 10, True, 2),
        (2, 99, False, 2),
        (5, None, False, 5),
    ],
)
def test_the_flap_budget(target, used, urgent, after):
    of = settings(flap_budget=10)
    past = Past(changes_1h=used)
    final, notes = guard_cluster(target, present=2, past=past, settings=of, urgent=urgent)
    assert final == after
    assert [note.name for note in notes] == ([] if final == target else ["flap budget"])


@pytest.mark.parametrize("present", [0, 1])
@pytest.mark.parametrize("target", [1, 2, 5])
@pytest.mark.parametrize(
    "past",
    [
        pytest.param(Past(since_scale_out_s=1.0, since_scale_in_s=1.0), id="cooldown"),
        pytest.param(Past(changes_1h=99), id="flap budget"),
    ],
)
def test_the_fewest_workers_wait_for_no_cooldown_and_no_budget(past, target, present):
    of = settings(min_workers=2, flap_budget=10)
    final, _ = guard_cluster(target, present=present, past=past, settings=of, urgent=False)
    assert final == 2
    busy = replace(past, operation="A scaling by process 7")
    held, _ = guard_cluster(target, present=present, past=busy, settings=of, urgent=False)
    assert held == present


def test_a_cluster_whose_workers_died_gets_one_though_it_has_just_grown():
    seen = observation(0, application(error="timed out"), past=Past(since_scale_out_s=1.0))
    assert decide(seen, settings()).target == 1


def test_a_limit_in_danger_is_above_the_flap_budget():
    late = application(stage(tasks=400, complete=40), limit_s=150.0)
    seen = observation(2, late, past=Past(changes_1h=500))
    assert decide(seen, settings(flap_budget=10)).target > 2
    calm = observation(6, application(stage(tasks=40, complete=30)), past=Past(changes_1h=500))
    assert decide(calm, settings(flap_budget=10)).target == 6


def test_prometheus_shows_what_was_set_and_the_flap_budget(store):
    seen = observation(2, past=Past(changes_1h=3))
    of = settings(flap_budget=10, pause=Pause(2000.0, "ada"), pin=Pin(4, 3000.0, "ada"))
    store.add_decision(decide(seen, of), store.add_observation(seen), of)
    text = prometheus_text(store, ["test"])
    for line in ("pause_until_seconds 2000.0", "pin_workers 4", "pin_until_seconds 3000.0",
                 "flap_changes 3", "flap_budget 10"):  # fmt: skip
        name, value = line.split()
        assert f'kitwai_{name}{{cluster="test"}} {value}\n' in text
    store.add_decision(decide(seen, settings()), store.add_observation(seen), settings())
    text = prometheus_text(store, ["test"])
    assert "kitwai_pause" not in text
    assert "kitwai_pin" not in text
