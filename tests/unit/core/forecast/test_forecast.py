"""`core.forecast.forecast`: what a run's tasks tell of the time left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import COUNTS, Seen, planned, sigmas, view
from kitwai.core.forecast.forecast import MORE_JOBS, forecast
from kitwai.core.forecast.past_runs import Record, prior_of
from kitwai.core.forecast.prior import WARM_UP_S, Prior, unknown
from kitwai.core.forecast.stage_times import gaps, gaps_left
from kitwai.sim.library import Library
from kitwai.sim.past_runs import priors_of, records_of
from kitwai.sim.simulator import Simulator
from kitwai.sim.synthetic import synthetic_profiles


def without_warm_up() -> Prior:
    """Nothing is known, but slots need no warm-up."""
    return replace(unknown(1, COUNTS, 1), warm_up_s=np.zeros(1))


# --- the prior


@pytest.mark.parametrize(("prior", "told"), [(unknown(1, COUNTS, 2), False), (planned(6.0), True)])
def test_without_a_task_the_prior_stands(prior, told):
    seen = forecast(view(Seen(100), Seen(50)), prior, 15.0)
    assert (seen.level == prior.level).all()
    assert (seen.cov == prior.cov).all()
    assert seen.surprise[0] == 0.0
    assert seen.known[0]
    assert seen.told[0] == told


def test_nothing_is_known_where_no_work_is_shown():
    assert not forecast(view(Seen(0)), unknown(1, COUNTS, 1), 15.0).known[0]
    done = view(Seen(8, {2: (8, 16.0)}))
    assert not forecast(done, unknown(1, COUNTS, 1), 15.0).known[0]


def test_two_hundred_tasks_are_a_shuffles_where_nothing_else_is_known():
    scan = Seen(30, {2: (30, 60.0)})
    left = {
        tasks: forecast(view(scan, Seen(tasks), serving=2), unknown(1, COUNTS, 2), 0.0).left_s[0, 1]
        for tasks in (199, 200)
    }
    assert left[200] < 0.15 * left[199]
    # Those that were seen tell of the others, and their own tasks of themselves.
    heavy = Seen(200, {2: (200, 400.0)})
    seen = forecast(view(scan, heavy, Seen(200), serving=2), unknown(1, COUNTS, 3), 0.0)
    assert seen.left_s[0, 1] > 0.5 * left[199]


def test_a_stage_like_one_that_was_seen_is_expected_to_be_like_it():
    far, near = Seen(100, {2: (100, 200.0)}), Seen(40, {2: (40, 400.0)})
    like, unlike = (
        forecast(view(far, near, Seen(tasks), serving=2), unknown(1, COUNTS, 3), 0.0)
        for tasks in (40, 7)
    )
    assert like.left_s[0, 1] == pytest.approx(40 * 10.0 / 4, rel=0.35)
    assert like.sigma[0, 1] < unlike.sigma[0, 1]


def test_an_error_of_the_level_does_not_count_for_a_stage_that_is_seen():
    """The half of a stage that has run tells of the other half, whatever the level is."""
    half = forecast(
        view(Seen(300, {2: (150, 450.0)}, active=4), serving=2), unknown(1, COUNTS, 1), 0.0
    )
    assert half.sigma[0, 1] < 0.6 * sigmas(half.cov)[0, 1]
    assert half.sigma[0, 9] > half.sigma[0, 1]


def test_a_known_family_is_forecast_before_its_first_task():
    # 400 slot-seconds in two stages of 100 tasks: 100 s on 4 slots, 20 s on 20, and their tails.
    seen = forecast(view(Seen(0), Seen(0), now=0.0), planned(np.log(400.0)), 0.0)
    assert seen.left_s[0, 1] == pytest.approx(100.0, rel=0.12)
    assert seen.left_s[0, 9] == pytest.approx(20.0, rel=0.2)
    assert (seen.progress[0], seen.tasks_left[0]) == (0.0, 200.0)


# --- the time left


def test_a_stage_begun_beside_one_that_runs_had_no_gap():
    stages = [
        Seen(40, {2: (37, 296.0)}, active=3, began_s=0.0),
        Seen(40, active=1, began_s=80.0),
        Seen(40),
    ]
    left = np.array([[1.5, 39.5, 40.0]])
    seen = view(*stages, now=81.0)
    assert gaps_left(seen, gaps(seen), np.zeros((1, 3)), left)[0] == 0.0
    prior = planned(6.0, tasks=(40.0, 40.0, 40.0), gap_s=(0.0, 0.0, 0.0))
    later = [replace(stages[0], ran={2: (40, 320.0)}, active=0, ended_s=82.0), *stages[1:]]
    before = forecast(view(*stages, now=81.0), prior, 15.0).left_s[0]
    after = forecast(view(*later, now=82.0), prior, 15.0).left_s[0]
    # Only that the first stage had no long tail is known better now.
    assert before == pytest.approx(after, rel=0.25)


def test_an_unknown_application_that_has_submitted_two_jobs_is_expected_to_submit_more():
    done = Seen(100, {2: (100, 200.0)}, began_s=0.0, ended_s=50.0)
    half = Seen(100, {2: (50, 100.0)}, began_s=50.0)

    def left(jobs: int, prior: Prior) -> tuple[float, float, float]:
        seen = forecast(view(done, half, jobs=jobs), prior, 0.0)
        return seen.left_s[0, 1], seen.sigma[0, 1], seen.progress[0]

    one, two = (left(jobs, unknown(1, COUNTS, 2)) for jobs in (1, 2))
    # Each of the two has 100 tasks of 2 s on 4 slots.
    assert two[0] - one[0] == pytest.approx(MORE_JOBS * 50.0, rel=0.15)
    assert two[1] > one[1]
    assert two[2] == pytest.approx(one[2] / (1.0 + 0.5 * MORE_JOBS))
    # Of a known family it is known how many there are.
    assert left(2, planned(np.log(400.0))) == left(1, planned(np.log(400.0)))


def test_one_long_stage_after_many_short_is_believed_and_not_expected_again():
    """24 jobs of two tasks of 30 ms, then a job of 40 tasks of 4 s, of which eight have ended."""
    short = [Seen(2, {1: (2, 0.06)}, began_s=float(at), ended_s=at + 0.05) for at in range(24)]
    long = Seen(40, {1: (8, 32.0)}, active=2, began_s=24.0)
    seen = view(*short, long, now=40.0, jobs=25, workers=1)
    left_s = forecast(seen, unknown(1, COUNTS, 25), 15.0).left_s[0, 0]
    waiting_s = 31 * 4.0 / 2.0
    assert left_s == pytest.approx(waiting_s, rel=0.25)


def test_stages_that_overlap_spare_no_more_than_idle_slots():
    # 5 tasks on 4 slots: two waves each, but the next stage fills the second one.
    done = [
        Seen(5, {2: (5, 50.0)}, began_s=at * 12.5, ended_s=(at + 1) * 12.5 + 5.0) for at in range(6)
    ]
    seen = view(*done, *[Seen(5)] * 6, now=80.0)
    prior = planned(np.log(600.0), tasks=(5.0,) * 12, gap_s=(0.0,) * 12)
    believed = forecast(seen, prior, 0.0)
    assert believed.tail[0] < -0.1
    work = 300.0 / (2.0 * np.arange(1.0, COUNTS + 1.0))
    assert (believed.left_s[0] > 0.95 * work).all()


def test_workers_that_are_not_there_help_after_their_start_up_and_warm_up():
    stage = Seen(1000, {2: (500, 1000.0)}, began_s=0.0)
    there = forecast(view(stage), without_warm_up(), 0.0).left_s[0]
    later = forecast(view(stage), unknown(1, COUNTS, 1), 30.0).left_s[0]
    assert later[:2] == pytest.approx(there[:2])
    delay = 30.0 + WARM_UP_S
    share = 1.0 - delay / there[1]
    assert later[2:] == pytest.approx(delay + share * there[2:])
    # Workers that are starting already have half of their start-up behind them.
    half = forecast(view(stage, workers=5), unknown(1, COUNTS, 1), 30.0).left_s[0]
    delay = 15.0 + WARM_UP_S
    share = 1.0 - delay / there[1]
    assert half[2:5] == pytest.approx(delay + share * there[2:5])
    assert half[5:] == pytest.approx(later[5:])


def test_what_ends_before_new_workers_come_ends_as_it_would():
    stage = Seen(100, {2: (98, 98.0)}, active=2, began_s=0.0)
    left = forecast(view(stage), unknown(1, COUNTS, 1), 60.0).left_s[0]
    assert left[2:] == pytest.approx(np.full(8, left[1]))


def test_without_a_worker_everything_waits_for_the_first():
    stage = Seen(1000, {2: (500, 1000.0)}, began_s=0.0)
    there = forecast(view(stage), without_warm_up(), 0.0).left_s[0]
    none = forecast(view(stage, serving=0), unknown(1, COUNTS, 1), 30.0).left_s[0]
    assert none == pytest.approx(there + 30.0 + WARM_UP_S)


# --- tasks under way


def under_way(ages_s: float, first: float = 0.0, complete: int = 96):
    """A stage of 100 tasks of 10 s on four slots, of which four run and have run for so long."""
    seen = view(Seen(100, {2: (complete, 10.0 * complete)}, active=4, began_s=0.0))
    return replace(seen, age_s=np.array([[ages_s]]), active_first=np.array([[first]]))


def test_the_last_wave_ends_the_sooner_the_longer_its_tasks_have_run():
    left = [
        forecast(under_way(4 * age_s), without_warm_up(), 0.0).left_s[0, 1]
        for age_s in (0.0, 2.0, 5.0, 8.0)
    ]
    assert (np.diff(left) < 0.0).all()
    assert left[0] - left[2] == pytest.approx(5.0, rel=0.3)
    # However long a task has run, some of it is left.
    assert forecast(under_way(4000.0), without_warm_up(), 0.0).left_s[0, 1] > 0.5


def test_no_worker_shortens_the_last_wave():
    alike = planned(np.log(1000.0), tasks=(100.0,), gap_s=(0.0,))  # at every count
    left = forecast(under_way(4.0), alike, 0.0).left_s[0]
    assert left == pytest.approx(np.full(COUNTS, left[1]), rel=0.01)


def test_tasks_that_warm_up_have_done_less():
    prior = replace(unknown(1, COUNTS, 1), warm_up_s=np.full(1, 4.0))
    warm, cold = (forecast(under_way(16.0, first), prior, 0.0) for first in (0.0, 4.0))
    assert cold.left_s[0, 1] - warm.left_s[0, 1] == pytest.approx(4.0, rel=0.3)


def test_where_no_age_is_known_half_of_a_task_is_done():
    middle = under_way(4 * 5.0, complete=50)
    unknown_age = replace(middle, age_s=np.full((1, 1), np.nan))
    known, blind = (forecast(one, without_warm_up(), 0.0) for one in (middle, unknown_age))
    assert blind.tasks_left[0] == 48.0
    assert blind.tasks_left == pytest.approx(known.tasks_left, abs=0.2)


@given(data=st.data())
def test_whatever_is_seen_gives_numbers(data):
    stages = []
    for _ in range(data.draw(st.integers(1, 4))):
        ran = data.draw(
            st.dictionaries(
                st.integers(1, 10),
                st.tuples(st.integers(1, 10**6), st.integers(0, 10**12).map(lambda ms: ms / 1e3)),
                max_size=3,
            )
        )
        done = sum(number for number, _ in ran.values())
        tasks = done + data.draw(st.integers(0, 10**6))
        began = data.draw(st.sampled_from([0.0, 50.0, np.inf]))
        ended = data.draw(st.sampled_from([60.0, 200.0, np.inf])) if done == tasks else np.inf
        stages.append(Seen(tasks, ran, data.draw(st.integers(0, tasks - done)), began, ended))
    one = view(*stages, serving=data.draw(st.integers(0, 10)), cores=data.draw(st.integers(1, 64)))
    share = data.draw(st.sampled_from([0.0, 0.3, 1.0]))
    ages = [data.draw(st.sampled_from([np.nan, 0.0, 1e6])) for _ in stages]
    one = replace(
        one,
        first_n=np.floor(share * one.cell_n),
        first_s=share * one.cell_s,
        age_s=np.array([ages]),
        active_first=np.floor(share * one.active),
    )
    for prior in (unknown(1, COUNTS, 2), planned(3.0)):
        seen = forecast(one, prior, 15.0)
        for name in seen.__slots__:
            assert np.isfinite(getattr(seen, name)).all(), name
        assert (seen.left_s >= 0.0).all()
        assert (seen.sigma > 0.0).all()
        assert 0.0 <= seen.progress[0] <= 1.0


def test_rows_do_not_touch_each_other():
    library = Library(synthetic_profiles(12, seed=6))
    made = Simulator(library, 12)
    made.reset(np.arange(12), np.full(12, 10), np.full(12, 600.0))
    made.step(np.full(12, 5), seconds=40.0)
    prior = priors_of(library)
    together = forecast(made.view(), prior, 15.0)
    for row in range(12):
        at = np.array([row])
        alone = forecast(made.view().take(at), prior.take(at), 15.0)
        assert alone.left_s[0] == pytest.approx(together.left_s[row])
        assert alone.sigma[0] == pytest.approx(together.sigma[row])


# --- whole runs


@pytest.fixture(scope="module")
def library():
    return Library(synthetic_profiles(150, seed=5))


def half_way(library: Library, prior: Prior, workers: int) -> tuple[np.ndarray, np.ndarray]:
    """Calm runs on a constant count: predicted over real end half way, and its believed sigma."""
    count = len(library.profiles)
    made = Simulator(library, count)
    held = np.full(count, workers)
    made.reset(np.arange(count), np.full(count, 10), np.full(count, 600.0), start_workers=held)
    whole = made.fork(np.arange(count))
    whole.step(held, seconds=1e9)
    ratio, sigma = [], []
    for row in range(count):
        at = np.array([row])
        one = made.fork(at)
        one.step(held[:1], seconds=0.5 * float(whole.finish_s[row]))
        seen = forecast(one.view(), prior.take(at), 15.0)
        if seen.known[0]:
            ratio.append((one.now[0] + seen.left_s[0, workers - 1]) / whole.finish_s[row])
            sigma.append(seen.sigma[0, workers - 1])
    return np.array(ratio), np.array(sigma)


@pytest.mark.parametrize(("workers", "error"), [(1, 0.025), (2, 0.03), (8, 0.07)])
def test_half_way_through_a_run_that_was_seen_before(library, workers, error):
    """What the run leaves open: its gaps, its tails, its waves. The more slots, the more of the
    time is waves and tails, which are known to a part of a task.
    """
    stages = library.tasks.shape[1]
    runs = records_of(library)
    prior = Prior.stack([prior_of([run], run.inputs, COUNTS, stages) for run in runs])
    ratio, _ = half_way(library, prior, workers)
    assert len(ratio) == len(library.profiles)
    assert np.median(np.abs(ratio - 1.0)) < error
    assert np.median(ratio) == pytest.approx(1.0, abs=0.025)


def test_the_forecast_knows_how_wrong_it_may_be(library):
    """From the family's other runs: 95 % lie within two sigmas, if it is honest."""
    ratio, sigma = half_way(library, priors_of(library), 4)
    assert (np.abs(np.log(ratio)) < 2.0 * sigma).mean() > 0.93
    assert np.median(np.abs(ratio - 1.0)) < 0.06
    blind = unknown(len(library.profiles), COUNTS, library.tasks.shape[1])
    blind_ratio, blind_sigma = half_way(library, blind, 4)
    assert np.median(np.abs(blind_ratio - 1.0)) > 2 * np.median(np.abs(ratio - 1.0))
    assert np.median(blind_sigma) > 2 * np.median(sigma)


def without_last(run: Record) -> Record:
    """The same run, had it ended one stage earlier."""
    rest = run.stage_work_s[:-1].sum() / run.stage_work_s.sum()
    return replace(
        run,
        stage_work_s=run.stage_work_s[:-1],
        stage_tasks=run.stage_tasks[:-1],
        gap_s=run.gap_s[:-1],
        level=run.level + np.log(rest),
    )


def test_one_stage_more_than_the_family_had_is_expected_to_be_like_the_others(library):
    # Spark shows all stages of a job at once, the last one too.
    of_one_job = [one for one in library.profiles if len(one.jobs) == 1 and len(one.stages) > 2]
    longer = Library(of_one_job)
    priors = [prior_of([without_last(run)], run.inputs, COUNTS, 1) for run in records_of(longer)]
    ratio, sigma = half_way(longer, Prior.stack(priors), 4)
    assert len(ratio) == len(of_one_job) > 30
    assert np.median(ratio) == pytest.approx(1.0, abs=0.1)
    assert (np.abs(np.log(ratio)) < 2.0 * sigma).mean() > 0.85


def test_a_stage_beyond_the_family_s_is_weighed_by_what_its_tasks_tell():
    # Two stages of 100 s of work are known, and 100 s more are expected of the third.
    prior = planned(np.log(200.0))
    whole = forecast(view(Seen(100), Seen(100), Seen(100), now=0.0), prior, 0.0)
    known = forecast(view(Seen(100), Seen(100), now=0.0), prior, 0.0)
    assert whole.left_s[0] == pytest.approx(1.5 * known.left_s[0], rel=0.02)
    assert whole.sigma[0, 1] > known.sigma[0, 1]
    done = [Seen(100, {2: (100, 100.0)}, began_s=at, ended_s=at + 25.0) for at in (0.0, 25.0)]
    long = Seen(100, {2: (40, 160.0)}, active=4, began_s=50.0)
    # 58 tasks of about 4 s on 4 slots are left, four times what was expected of them.
    seen = forecast(view(*done, long, now=90.0), prior, 0.0)
    assert 40.0 < seen.left_s[0, 1] < 65.0
