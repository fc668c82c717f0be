"""Days that a simulated cluster had under real decisions, decided again."""

from __future__ import annotations

import dataclasses
import gc
import json

import pytest

from builders import application, observation, pool_worker, settings, stage, worker
from kitwai.actions.replay import Other, Replay, replay
from kitwai.cli.main import main
from kitwai.core.decide.again import decide_again, paid_worker_s
from kitwai.core.decide.cluster import decide
from kitwai.core.forecast.ended_runs import PastRuns
from kitwai.core.records.decision import Decision
from kitwai.core.records.observation import WorkerState
from kitwai.core.records.settings import Mode
from kitwai.errors import CheckpointError, InvalidInputError
from kitwai.registry.history_file import history_text
from kitwai.registry.known_runs import known_runs, own_runs
from kitwai.registry.versions import load_policy
from kitwai.sim.baselines import NAMES
from kitwai.sim.baselines.recorded import RecordedBaseline
from kitwai.sim.library import Library
from kitwai.sim.past_runs import history_of
from kitwai.store import recorded
from kitwai.store.store import Store
from kitwai.store.training import TrainingStore
from recorded_day import (
    CLUSTER,
    MOST,
    START,
    profile,
    record_day,
    save_checkpoint,
    without_log,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    return record_day(tmp_path_factory.mktemp("day"))


def again(day, *, since=START, until=None, **other) -> Replay:
    until = day.until if until is None else until
    return replay(day.store, day.root, CLUSTER, since, until, Other(**other))


# The same policy


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_checkpoint_decides_the_same(tmp_path, seed):
    day = record_day(tmp_path, seed, scale=0.5)
    found = again(day, checkpoint=day.version)
    assert found.comparison.decisions == day.steps
    assert found.comparison.differs == 0
    assert found.recorded_target == found.replayed_target
    assert found.comparison.judged == found.comparison.same_forecast > 20
    assert found.comparison.regret_first == found.comparison.regret_second == 0.0
    assert found.recorded == found.replayed
    # The simulator that made the day and the one that plays it again agree.
    assert found.real.limits == 7
    assert found.real.met == day.result.limits_met
    assert abs(found.recorded.met - found.real.met) <= 1
    # Within what steps of 15 s do not show of workers that leave.
    assert found.recorded.worker_s == pytest.approx(found.real.worker_s, rel=0.2)
    assert found.unknown == found.notes == ()


def test_the_same_decision_to_the_last_bit(day):
    for step in day.training.steps(START, day.until, CLUSTER):
        known = known_runs(day.root, day.version, {})
        made = decide_again(step, load_policy(day.root, day.version), known)
        assert made == step[1]
        break
    else:
        pytest.fail("nothing was recorded")


def test_the_same_store_gives_the_same_answer(day):
    one = again(day, policy="remaining-work@0.80")
    assert one == again(day, policy="remaining-work@0.80")


# Another policy


def test_always_n_meets_no_fewer_limits_and_pays_more(day):
    found = again(day, policy="always-N")
    assert found.replayed_name == "always-N"
    assert found.replayed_target.count(MOST) > 20
    assert found.comparison.more > 20
    assert found.comparison.second.loss is None
    assert found.comparison.first.finish_s < 0 < found.comparison.first.cost_s
    assert found.replayed.met >= found.recorded.met
    assert found.replayed.worker_s > 1.2 * found.recorded.worker_s
    assert found.real == again(day, checkpoint=day.version).real


def test_too_few_workers_miss_limits_in_the_outcome(day):
    found = again(day, policy="static@1")
    assert found.comparison.more == 0 < found.comparison.fewer
    assert found.replayed.met < found.recorded.met
    assert found.comparison.first.miss > 0


def test_another_network_is_seen_from_both_sides(day, tmp_path):
    save_checkpoint(day.root, "challenger-1", [], scale=0.8)
    found = again(day, checkpoint="challenger-1")
    assert found.comparison.differs > 0
    assert found.comparison.judged > 20
    # It knows no past run, so that it predicts otherwise.
    assert found.comparison.same_forecast < found.comparison.judged
    assert found.comparison.regret_first > 0
    assert found.comparison.regret_second >= 0
    assert found.replayed != found.recorded


QUICK = [name for name in NAMES if name not in ("lookahead", "lookahead-true", "mpc")]


@pytest.mark.parametrize("name", QUICK)
def test_every_baseline_can_decide_again(day, name):
    margin = ("linear", "ernest", "interpolation", "remaining-work")
    ends = sorted(run.ended_at for run in day.ran)
    policy = f"{name}@0.80" if name in margin else name
    found = again(day, until=ends[1] + 1.0, policy=policy)
    assert all(1 <= target <= MOST for target in found.replayed_target)
    assert found.replayed.limits == 2


def test_applications_that_a_baseline_cannot_judge_ask_for_nobody_new():
    seen = observation(3, *(application(error="timed out", name=name) for name in ("a", "b", "c")))
    fixed = settings(most=18)
    again = RecordedBaseline("always-N", lambda family, moment: (), {}, step_s=15.0)
    assert again.decide((seen, decide(seen, fixed), fixed)).target == 3


# No one knows what was not known


def test_a_version_made_later_knows_only_what_had_ended(day):
    later = "2035-01-01T00:00:00+00:00"
    ran = [run.profile for run in day.ran]
    save_checkpoint(day.root, "later-1", ran, created=later)
    save_checkpoint(day.root, "ignorant-1")
    ends = {run.profile.app: run.ended_at for run in day.ran}
    known = known_runs(day.root, "later-1", ends)
    assert not any(known.before(START).values())
    assert sum(map(len, known.before(day.until).values())) == 7
    first = min(day.ran, key=lambda run: run.ended_at)
    (families,) = [one for one in known.before(first.ended_at).values() if one]
    assert [record.app for record in families] == [first.profile.app]
    # Nothing had ended before the first application did: until then both know nothing.
    until = first.ended_at
    both = [again(day, until=until, checkpoint=one) for one in ("later-1", "ignorant-1")]
    assert both[0].replayed_target == both[1].replayed_target
    assert both[0].comparison == both[1].comparison


# What cannot be decided or played again


def test_an_application_without_a_profile_is_named(tmp_path):
    day = record_day(tmp_path, 4)
    without_log(day, "app-2")
    run = next(run for run in day.ran if run.profile.app == "app-3")
    day.training.add_run("log-9", "2", dataclasses.replace(run, started_at=run.started_at - 500.0))
    four = dataclasses.replace(run.profile, app="app-4", cores_per_worker=4)
    other = next(run for run in day.ran if run.profile.app == "app-4")
    day.training.add_run("log-10", "2", dataclasses.replace(other, profile=four))
    found = again(day, policy="always-N")
    assert found.real.limits == found.replayed.limits == 4
    reasons = {one.split(" (")[1].split(")")[0]: one for one in found.unknown}
    assert "no event log tells that it ended in the interval" in reasons["app-2"]
    assert "started at another time" in reasons["app-3"]
    assert "workers of 4 cores" in reasons["app-4"]
    assert any("really paid" in note for note in found.notes)


def test_what_began_before_or_ended_after_the_interval_is_named(day):
    first = min(day.ran, key=lambda run: run.started_at)
    found = again(day, since=first.started_at + 61.0, policy="always-N")
    assert any("it began before the interval" in one for one in found.unknown)
    last = max(day.ran, key=lambda run: run.ended_at)
    found = again(day, until=last.ended_at - 1.0, policy="always-N")
    assert any(last.profile.app in one and "no event log" in one for one in found.unknown)


def test_without_any_profile_there_are_decisions_alone(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'kitwai.db'}")
    seen = observation(2, application(stage(tasks=100, complete=40), elapsed_s=100.0))
    suggested = settings(mode=Mode.SUGGEST)
    store.add_decision(decide(seen, suggested), store.add_observation(seen), suggested)
    found = replay(store, tmp_path, "test", 0.0, 2000.0, Other(policy="always-N"))
    assert (found.comparison.decisions, found.replayed_target) == (1, (10,))
    assert found.real is found.recorded is found.replayed is None
    assert any("there is no outcome" in note for note in found.notes)
    assert any("not made in mode auto" in note for note in found.notes)


def test_a_recorded_version_that_is_gone_leaves_the_other_side(tmp_path):
    day = record_day(tmp_path, 5)
    save_checkpoint(day.root, "other-1")
    (day.root / day.version / "manifest.json").unlink()
    found = again(day, checkpoint="other-1")
    assert found.recorded is None
    assert found.replayed.limits == 7
    assert any("recorded policy cannot be played" in note for note in found.notes)


def test_an_observation_that_was_too_old_is_too_old_again(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'kitwai.db'}")
    seen = observation(2, application(stage(tasks=100, complete=10), elapsed_s=250.0))
    stale = decide(seen, settings(), now=seen.at + 31.0)
    fresh = decide(seen, settings(), now=seen.at + 29.0)
    assert (stale.target, fresh.target) == (2, 9)
    for one in (stale, fresh):
        made = decide_again((seen, one, settings()), None, PastRuns({}))
        assert made.target == one.target
    store.add_decision(stale, store.add_observation(seen), settings())
    found = replay(store, tmp_path, "test", 0.0, 2000.0, Other(policy="always-N"))
    assert found.replayed_target == (2,)


@pytest.mark.parametrize(
    ("other", "error", "words"),
    [
        ({"checkpoint": "nowhere"}, CheckpointError, "nowhere"),
        ({"checkpoint": "strange"}, CheckpointError, "strange.*another prediction"),
        ({"policy": "magic"}, InvalidInputError, "no policy 'magic'"),
        ({"policy": "linear"}, InvalidInputError, "needs a margin"),
        ({"policy": "lookahead-true"}, InvalidInputError, "nothing else could"),
        ({}, InvalidInputError, "either a checkpoint or a policy"),
        ({"checkpoint": "a", "policy": "b"}, InvalidInputError, "either a checkpoint or a policy"),
        ({"policy": "always-N", "since": 0.0, "until": 1.0}, InvalidInputError, "Nothing was"),
        ({"policy": "always-N", "since": 5.0, "until": 5.0}, InvalidInputError, "begin before"),
        ({"policy": "always-N", "until": float("nan")}, InvalidInputError, "begin before"),
    ],
)
def test_what_cannot_be_is_one_sentence(day, other, error, words):
    if not (day.root / "strange").exists():
        save_checkpoint(day.root, "strange")
        path = day.root / "strange" / "manifest.json"
        manifest = json.loads(path.read_text()) | {"prior": {"prediction": "oracle"}}
        path.write_text(json.dumps(manifest))
    with pytest.raises(error, match=words):
        again(day, **other)


def test_too_many_decisions_are_refused_before_they_are_read(day, monkeypatch):
    monkeypatch.setattr(recorded, "MOST_STEPS", day.steps)
    assert again(day, policy="always-N").comparison.decisions == day.steps
    monkeypatch.setattr(recorded, "MOST_STEPS", day.steps - 1)
    monkeypatch.setattr(TrainingStore, "steps", None)
    words = f"holds {day.steps} decisions of cluster 'test', and at most {day.steps - 1} can be"
    with pytest.raises(InvalidInputError, match=words):
        again(day, policy="always-N")


def test_a_replay_does_not_gather_the_decisions_that_it_has_compared(day):
    def decisions() -> int:
        return sum(type(one) is Decision for one in gc.get_objects())

    gc.collect()
    before, most = decisions(), 0

    def progress(done, total):
        nonlocal most
        most = max(most, decisions() if done % 20 == 0 else 0)

    replay(
        day.store,
        day.root,
        CLUSTER,
        START,
        day.until,
        Other(policy="always-N"),
        progress=progress,
    )
    assert 0 < most - before < 20 < day.steps


# What was paid


def test_workers_are_paid_from_their_start_until_they_are_gone():
    leaving = (pool_worker(0), pool_worker(1, draining_since=5.0), pool_worker(2, alive=False))
    dead = worker(1, WorkerState.DEAD)
    seen = [
        observation(1, at=0.0),
        observation(0, at=10.0, pool=leaving),
        observation(9, at=20.0, pool=None, workers=None),
        observation(0, at=30.0, pool=(), workers=(worker(0), dead)),
        observation(5, at=40.0),
    ]
    assert paid_worker_s(seen) == 10.0 * 1 + 20.0 * 2 + 10.0 * 1
    assert paid_worker_s([]) is None
    assert paid_worker_s([observation(1, at=0.0, pool=None, workers=None)]) is None


# The command


@pytest.fixture
def configured(day, monkeypatch):
    monkeypatch.setenv("AIRFLOW__KITWAI__STORE", str(day.store.engine.url))
    monkeypatch.setenv("AIRFLOW__KITWAI__MODELS", str(day.root))
    return day


def test_the_command_prints_and_writes_both_levels(configured, tmp_path, capsys):
    out = tmp_path / "replay.json"
    arguments = ["replay", "--cluster", CLUSTER, "--from", "2027-01-15", "--to", "2027-01-16"]
    assert main([*arguments, "--policy", "always-N", "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "Decisions, under the recorded past:" in printed
    assert "simulated, always-N: 7 of 7 limits met" in printed
    written = json.loads(out.read_text())
    assert written["observations"] == configured.steps == len(written["at"])
    assert written["replayed"]["name"] == "always-N"
    assert written["recorded"] == {
        "name": configured.version,
        "limits": 7,
        "met": written["recorded"]["met"],
        "worker_s": written["recorded"]["worker_s"],
    }
    assert main([*arguments, "--checkpoint", configured.version]) == 0
    assert "other target      0 (0.0%)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "someday", "--policy", "always-N"], "'someday' is no moment"),
        (["--from", "2027-01-15", "--to", "2027-01-16", "--checkpoint", "nowhere"], "nowhere"),
        (["--from", "2019-01-15", "--to", "2019-01-16", "--policy", "always-N"], "Nothing was"),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(configured, capsys, arguments, words):
    assert main(["replay", "--cluster", CLUSTER, *arguments]) == 1
    error = capsys.readouterr().err.strip()
    assert words in error
    assert "\n" not in error


def test_another_file_of_past_runs_than_the_recorded_is_said(tmp_path):
    path = tmp_path / "history.json"
    path.write_text(history_text(history_of(Library([profile("sort", 1.0, "own")]))))
    own = own_runs(path)
    store = Store(f"sqlite:///{tmp_path / 'kitwai.db'}")
    runs = application(stage(tasks=100, complete=40), elapsed_s=100.0, name="sort")
    seen = observation(2, runs, at=4e9)
    made = decide(seen, settings(), history=own.runs, history_sha256=own.sha256)
    store.add_decision(made, store.add_observation(seen), settings())
    step = next(TrainingStore(store.engine).steps(0.0, 5e9))
    assert decide_again(step, None, known_runs(tmp_path, None, {}, own)) == made
    notes = {}
    for given in (own, None):
        other = Other(policy="always-N")
        notes[given is None] = replay(store, tmp_path, "test", 0.0, 5e9, other, own=given).notes
    assert not any("another file" in note for note in notes[False])
    assert any("another file" in note for note in notes[True])
