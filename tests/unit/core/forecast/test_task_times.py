"""`core.forecast.task_times`: what a run's tasks tell of the level and of its stages, seen in the
forecast.
"""

from __future__ import annotations

import numpy as np
import pytest

from builders import COUNTS, Seen, planned, sigmas, view
from kitwai.core.forecast.forecast import forecast
from kitwai.core.forecast.prior import unknown
from kitwai.core.forecast.stage_times import cells
from kitwai.core.forecast.task_times import CENSORED, TASK_SIGMA, learn_levels, truncated


@pytest.mark.parametrize(
    "prior", [unknown(1, COUNTS, 1), planned(6.0, tasks=(100.0,), gap_s=(0.0,))]
)
def test_tasks_that_do_not_end_are_long(prior):
    levels = []
    for now in (0.0, 5.0, 20.0, 80.0, 320.0):
        waits = view(Seen(100, active=4, began_s=0.0), serving=2, now=now)
        seen = forecast(waits, prior, 15.0)
        assert not seen.told[0] or prior.informed[0]
        assert (np.linalg.eigvalsh(seen.cov[0]) > 0).all()
        levels.append(seen.level[0, 1])
    assert (np.diff(levels) > 0).all()
    # 320 s without an end: the typical task takes longer than that, but not for ever.
    task_s = np.exp(levels[-1]) / (100.0 if prior.informed[0] else 1.0)
    assert (320.0 if not prior.informed[0] else 20.0) < task_s < 2000.0


def test_a_task_that_has_ended_speaks_in_place_of_those_that_run():
    one = Seen(100, {2: (1, 3.0)}, active=4, began_s=0.0)
    early, later = (
        forecast(view(one, serving=2, now=now), unknown(1, COUNTS, 1), 15.0) for now in (5.0, 50.0)
    )
    assert (early.level == later.level).all()


def test_the_level_moves_to_the_task_time_seen_and_far_counts_stay_uncertain():
    stages = [Seen(150, {3: (150, 150 * 7.5)}) for _ in range(8)]
    prior = unknown(1, COUNTS, 8)
    seen = forecast(view(*stages, serving=3), prior, 15.0)
    assert np.exp(seen.level[0, 2]) == pytest.approx(7.5, rel=0.02)
    before, after = sigmas(prior.cov)[0], sigmas(seen.cov)[0]
    assert (after < before).all()
    assert after[2] < 0.1
    # What is told of 3 workers tells less of a count, the farther it lies.
    assert (np.diff(after[2:8]) > 0).all()
    assert (np.diff(after[:3]) < 0).all()
    assert after[9] > 3 * after[2]
    # The whole of it moves, though: how long tasks take is common to all counts.
    assert np.exp(seen.level[0, 9]) == pytest.approx(7.5, rel=0.5)


def test_a_second_count_tells_of_the_curve_itself():
    one = [Seen(100, {2: (100, 500.0)}) for _ in range(4)]
    two = [*one, *(Seen(100, {9: (100, 1500.0)}) for _ in range(4))]
    before = forecast(view(*one), unknown(1, COUNTS, 4), 15.0)
    after = forecast(view(*two), unknown(1, COUNTS, 8), 15.0)
    slope = after.level[0, 8] - after.level[0, 1]
    assert slope > before.level[0, 8] - before.level[0, 1] + 0.3
    assert sigmas(after.cov)[0, 8] < 0.6 * sigmas(before.cov)[0, 8]
    # Neighbours of what was seen are drawn along.
    assert after.level[0, 9] - after.level[0, 1] > 0.8 * slope


@pytest.mark.parametrize("seed", range(5))
def test_bayes_rule_against_the_dense_formula(seed):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(COUNTS, COUNTS))
    prior = planned(1.0, tasks=(80.0,) * 4)
    prior.cov[0] = 0.1 * root @ root.T + 0.05 * np.eye(COUNTS)
    prior.share[0] = np.log([0.1, 0.2, 0.3, 0.4])
    stages = []
    for active in (0, 0, 7, 0):
        ran = {
            int(count): (int(number), float(number * rng.lognormal(-3.0, 0.5)))
            for count, number in zip(
                rng.choice(np.arange(1, 11), 3, replace=False), rng.integers(1, 20, 3), strict=True
            )
        }
        done = sum(number for number, _ in ran.values())
        stages.append(Seen(80 if active else done, ran, active))
    seen = forecast(view(*stages), prior, 15.0)

    spread2 = seen.spread[0] ** 2
    rows, values, noise = [], [], []
    for at, one in enumerate(stages):
        running = one.active / (one.active + one.complete)
        for count, (number, seconds) in one.ran.items():
            rows.append(np.eye(COUNTS)[count - 1])
            weight = prior.share[0, at] - np.log(one.tasks)
            values.append(np.log(seconds / number) - weight)
            noise.append(TASK_SIGMA**2 / number + (CENSORED * running) ** 2 + spread2)
    design, gain = np.array(rows), np.linalg.inv(np.diag(noise))
    precision = np.linalg.inv(prior.cov[0]) + design.T @ gain @ design
    cov = np.linalg.inv(precision)
    mean = cov @ (np.linalg.inv(prior.cov[0]) @ prior.level[0] + design.T @ gain @ np.array(values))
    assert seen.level[0] == pytest.approx(mean, abs=1e-9)
    assert seen.cov[0] == pytest.approx(cov, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_an_unknown_stage_differs_by_the_same_at_every_count(seed):
    """Against the dense formula, with the stages' deviations as unknowns of their own."""
    rng = np.random.default_rng(seed)
    prior = unknown(1, COUNTS, 3)
    stages = [Seen(50, {2: (30, 60.0), 9: (20, float(rng.uniform(40.0, 400.0)))}), Seen(7)]
    stages.append(Seen(40, {9: (30, float(rng.uniform(40.0, 400.0)))}, active=10))
    seen = forecast(view(*stages, serving=9), prior, 15.0)

    design, values, noise = [], [], []
    for at, one in enumerate(stages):
        for count, (number, seconds) in one.ran.items():
            row = np.zeros(COUNTS + 3)
            row[[count - 1, COUNTS + at]] = 1.0
            design.append(row)
            values.append(np.log(seconds / number))
            running = one.active / (one.active + one.complete)
            noise.append(TASK_SIGMA**2 / number + (CENSORED * running) ** 2)
    before = np.zeros((COUNTS + 3, COUNTS + 3))
    before[:COUNTS, :COUNTS] = prior.cov[0]
    before[COUNTS:, COUNTS:] = seen.spread[0] ** 2 * np.eye(3)
    mean = np.concatenate([prior.level[0], np.zeros(3)])
    design, values = np.array(design), np.array(values)
    gain = before @ design.T @ np.linalg.inv(design @ before @ design.T + np.diag(noise))
    mean += gain @ (values - design @ mean)
    cov = before - gain @ design @ before
    assert seen.level[0] == pytest.approx(mean[:COUNTS], abs=1e-9)
    assert seen.cov[0] == pytest.approx(cov[:COUNTS, :COUNTS], abs=1e-9)


def test_a_stage_of_long_tasks_does_not_make_the_workers_that_came_meanwhile_seem_slow():
    """The same tasks on 2 and on 9 workers, after a stage of short ones on 2."""
    short = Seen(60, {2: (60, 60.0)}, ended_s=20.0)
    long = Seen(60, {2: (10, 80.0), 9: (30, 240.0)}, active=18, began_s=20.0)
    prior = unknown(1, COUNTS, 2)
    seen = forecast(view(short, long, serving=9), prior, 15.0)
    expected = prior.level[0, 8] - prior.level[0, 1]
    assert seen.level[0, 8] - seen.level[0, 1] == pytest.approx(expected, abs=0.15)


@pytest.mark.parametrize(
    "prior", [unknown(1, COUNTS, 2), planned(np.log(400.0), tasks=(100.0, 30.0))]
)
def test_a_stage_is_believed_longer_while_its_first_tasks_are_waited_for(prior):
    prior.spread[:] = 0.8
    done = Seen(100, {2: (100, 200.0)}, began_s=0.0, ended_s=50.0)
    found = [
        forecast(view(done, Seen(30, active=4, began_s=50.0), now=now), prior, 0.0)
        for now in (50.0, 52.0, 60.0, 80.0, 140.0)
    ]
    left = [one.left_s[0, 1] for one in found]
    assert (np.diff(left[1:]) > 0).all()
    # 28 tasks of at least 90 s on 4 slots: much of that is believed, and not much more.
    assert left[-1] > 4.0 * left[0]
    assert left[-1] < 2.0 * 7 * 90.0
    # It is the stage that is slow: the level is known by the first one.
    assert found[-1].level[0] == pytest.approx(found[0].level[0])


def test_a_stage_unlike_all_before_takes_as_long_as_it_is_waited_for():
    """Three stages of 1 s tasks are no reason to believe that one which has run 160 s ends soon."""
    done = [Seen(50, {2: (50, 50.0)}, began_s=at, ended_s=at + 13.0) for at in (0.0, 13.0, 26.0)]
    prior = unknown(1, COUNTS, 4)
    waits = view(*done, Seen(9, active=4, began_s=40.0), now=200.0)
    left_s = forecast(waits, prior, 0.0).left_s[0, 1]
    # 7 tasks, half of the four under way being done, on 4 slots.
    assert 0.8 * 7 / 4 * 160.0 < left_s < 3.0 * 7 / 4 * 160.0


def test_what_surprises_has_not_been_learnt():
    """The deviation of a stage of another kind is known less well than before, not learnt by less
    than nothing: the forecast would doubt its level more than nothing at all makes it."""
    done = [Seen(50, {2: (50, 50.0)}, began_s=at, ended_s=at + 13.0) for at in (0.0, 13.0, 26.0)]
    waits = view(*done, Seen(9, active=4, began_s=40.0), now=200.0)
    none = np.zeros((1, 4))
    *_, own_var, learnt, spread = learn_levels(
        waits, unknown(1, COUNTS, 4), cells(waits, COUNTS), none, none
    )
    assert own_var[0, 3] > spread[0] ** 2
    assert learnt[0, 3] == 0.0
    assert (learnt[0, :3] > 0.5).all()
    assert (learnt <= 1.0).all()


@pytest.mark.parametrize("cut", [-8.0, -1.0, 0.0, 2.0, 4.9, 5.1, 9.0, 30.0])
def test_moments_of_what_is_known_to_be_above(cut):
    x = cut + np.linspace(0.0, 20.0 / max(1.0, cut), 400_001)
    density = np.exp(-0.5 * (x**2 - max(cut, 0.0) ** 2))
    mean = (x * density).sum() / density.sum()
    variance = (x**2 * density).sum() / density.sum() - mean**2
    found, less = truncated(np.array([cut]))
    assert found[0] == pytest.approx(mean, abs=1e-3)
    # No one observation is believed to leave less than a fiftieth.
    assert 1.0 - less[0] == pytest.approx(max(variance, 0.02), abs=2e-3)


def test_short_tasks_that_end_first_are_not_taken_for_all():
    first = Seen(8, {2: (2, 2.0)}, active=6, began_s=90.0)
    whole = Seen(8, {2: (8, 8.0)}, began_s=90.0, ended_s=100.0)
    prior = planned(np.log(80.0), tasks=(8.0, 8.0))
    early, late = (forecast(view(one, Seen(8)), prior, 0.0) for one in (first, whole))
    # Planned were 5 s a task, seen is 1 s: two of eight weigh less than all of them.
    assert late.level[0, 1] < early.level[0, 1] < prior.level[0, 1]


def test_a_stage_of_its_own_changes_itself_more_than_the_others():
    prior = planned(np.log(400.0))
    prior.spread[:] = 0.5
    usual = Seen(100, {2: (50, 100.0)}, began_s=0.0)
    slow = Seen(100, {2: (50, 400.0)}, began_s=0.0)
    none = Seen(100)
    before = forecast(view(usual, none, now=0.0), prior, 0.0).left_s[0, 1]
    after = forecast(view(slow, none, now=0.0), prior, 0.0).left_s[0, 1]
    # Of the first stage 50 tasks are left on 4 slots, 8 s instead of 2: 75 s more, at least two
    # thirds of them believed; of the second the common level alone has moved.
    assert 50.0 < after - before < 75.0 + 60.0


def test_what_differs_between_stages_widens_what_is_believed_of_the_next():
    alike = [Seen(50, {2: (50, 100.0)}) for _ in range(5)]
    mixed = [Seen(50, {2: (50, 100.0 * factor)}) for factor in (0.3, 0.6, 1.0, 2.0, 4.0)]
    prior = unknown(1, COUNTS, 6)
    calm, wild = (forecast(view(*one, Seen(50)), prior, 15.0) for one in (alike, mixed))
    assert calm.spread[0] < prior.spread[0] < wild.spread[0]
    assert calm.sigma[0, 1] < wild.sigma[0, 1]
