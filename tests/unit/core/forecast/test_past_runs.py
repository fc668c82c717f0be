"""`core.forecast.past_runs`: what past runs of a family tell of the next run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import application, observation, settings, stage
from kitwai.core.decide.cluster import decide
from kitwai.core.forecast.past_runs import RUN_SIGMA, Record, in_order, prior_of
from kitwai.core.forecast.prior import Prior, unknown

COUNTS = 10
WORKERS = np.arange(1.0, COUNTS + 1.0)


def run(
    size: float,
    *,
    stages: int = 3,
    cliff: float = 0.0,
    name: str = "size",
    others: Mapping[str, float] | None = None,
) -> Record:
    """Work 120 s x size^0.9, contention beyond 3 workers; a cliff below 1.2 x size^0.7 workers."""
    work = np.arange(1.0, stages + 1.0)
    work *= 120.0 * size**0.9 / work.sum()
    short = np.clip(1.0 - WORKERS / (1.2 * size**0.7), 0.0, 1.0)
    curve = np.maximum(WORKERS, 3.0) ** 0.3 * (1.0 + cliff * short)
    return Record(
        inputs={name: size, **(others or {})},
        stage_work_s=work,
        stage_tasks=np.full(stages, 40.0),
        gap_s=np.full(stages, 0.5),
        level=np.log(work.sum() * curve),
        loss=np.zeros(COUNTS),
    )


def sigmas(prior: Prior) -> np.ndarray:
    return np.sqrt(np.diagonal(prior.cov[0]))


POWER = [run(size) for size in (1.0, 2.0, 4.0, 8.0, 16.0)]


@pytest.mark.parametrize("size", [1.5, 3.0, 11.0, 32.0, 0.5])
def test_a_power_law_is_recovered_inside_and_outside_what_was_seen(size):
    prior = prior_of(POWER, {"size": size}, COUNTS, 3)
    assert prior.informed[0]
    assert prior.level[0] == pytest.approx(run(size).level, abs=0.01)
    assert np.exp(prior.share[0]) == pytest.approx([1 / 6, 2 / 6, 3 / 6], rel=0.01)
    assert prior.tasks[0].tolist() == [40.0] * 3
    assert prior.gap_s[0] == pytest.approx([0.5] * 3, rel=0.01)
    # What data and machines make of a run nobody knows before.
    assert sigmas(prior) == pytest.approx(np.full(COUNTS, RUN_SIGMA), rel=0.05)


def test_where_the_memory_cliff_moves_the_curve_is_less_certain():
    runs = [run(size, cliff=8.0) for size in (1.0, 2.0, 4.0, 8.0, 16.0)]
    prior = prior_of(runs, {"size": 6.0}, COUNTS, 3)
    sigma = sigmas(prior)
    # At size 16 the cliff begins below 8.4 workers; above, the runs agree.
    assert sigma[:7].min() > 1.4 * sigma[8:].max()
    error = np.abs(prior.level[0] - run(6.0, cliff=8.0).level)
    assert (error < 2.5 * sigma).all()


def test_what_lies_farther_out_is_less_certain():
    rng = np.random.default_rng(0)
    runs = [
        replace(one, level=one.level + rng.normal(0.0, 0.1)) for one in (*POWER, run(3.0), run(6.0))
    ]
    inside, outside = (prior_of(runs, {"size": size}, COUNTS, 3) for size in (5.0, 200.0))
    assert (sigmas(outside) > sigmas(inside)).all()


def test_a_second_input_that_matters_is_told_from_one_that_does_not():
    rng = np.random.default_rng(1)
    runs = [
        run(size * level, others={"level": level, "seed": float(rng.integers(1, 1000))})
        for size in (1.0, 3.0, 9.0)
        for level in (1.0, 2.0, 4.0)
    ]
    runs = [
        replace(one, inputs=dict(one.inputs, size=one.inputs["size"] / one.inputs["level"]))
        for one in runs
    ]
    inputs = {"size": 5.0, "level": 3.0, "seed": 17.0}
    prior = prior_of(runs, inputs, COUNTS, 3)
    assert prior.level[0] == pytest.approx(run(15.0).level, abs=0.05)


def test_one_run_is_taken_for_the_next_with_more_doubt():
    one = prior_of([run(4.0)], {"size": 5.0}, COUNTS, 3)
    assert one.informed[0]
    assert one.level[0] == pytest.approx(run(4.0).level, abs=0.01)
    assert (sigmas(one) > sigmas(prior_of(POWER, {"size": 5.0}, COUNTS, 3))).all()


def test_no_run_is_no_knowledge():
    prior, nothing = prior_of([], {"size": 5.0}, COUNTS, 3), unknown(1, COUNTS, 3)
    assert all((getattr(prior, name) == getattr(nothing, name)).all() for name in prior.__slots__)
    assert not prior.informed[0]


def test_the_most_usual_number_of_stages_is_believed():
    runs = [*POWER, run(3.0, stages=5), run(5.0, stages=5)]
    prior = prior_of(runs, {"size": 6.0}, COUNTS, 8)
    assert prior.tasks.shape == (1, 3)
    assert prior.level[0] == pytest.approx(run(6.0).level, abs=0.01)


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"rows": 5.0},
        {"size": 0.0},
        {"size": -3.0},
        {"size": 1e300},
        {"size": -1.7e308},
        {"size": np.inf},
        {"size": np.nan},
        {"size": 3.0} | {f"x{n}": float(n) for n in range(50)},
    ],
)
def test_hostile_inputs_give_numbers(inputs):
    prior = prior_of(POWER, inputs, COUNTS, 3)
    for name in prior.__slots__:
        assert np.isfinite(getattr(prior, name)).all(), name
    assert (np.linalg.eigvalsh(prior.cov[0]) > 0.0).all()
    assert (np.abs(prior.level) < 100.0).all()


@given(
    past=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6),
    new=st.floats(),
)
def test_any_inputs_of_past_runs_give_numbers(past, new):
    runs = [run(4.0, others={"y": value}) for value in past]
    prior = prior_of(runs, {"size": 4.0, "y": new}, COUNTS, 3)
    assert np.isfinite(prior.level).all()
    assert (np.linalg.eigvalsh(prior.cov[0]) > 0.0).all()


def test_a_run_that_names_less_is_compared_by_what_all_name():
    runs = [*POWER, run(6.0, name="rows")]
    prior = prior_of(runs, {"size": 3.0}, COUNTS, 3)
    assert np.isfinite(prior.level).all()
    assert sigmas(prior)[0] > sigmas(prior_of(POWER, {"size": 3.0}, COUNTS, 3))[0]


# --- in a decision


def started(**inputs: float):
    """Nothing has finished yet."""
    app = application(stage(tasks=40, active=4), elapsed_s=5.0, limit_s=100.0)
    return observation(2, replace(app, inputs=inputs))


def test_a_decision_uses_the_past_runs_of_the_application():
    runs = {"job": POWER}
    blind = decide(started(size=6.0), settings())
    assert "this is a guess" in blind.reason
    small, large = (decide(started(size=size), settings(), history=runs) for size in (2.0, 16.0))
    assert small.applications[0].predicted_finish_s is not None
    assert 1 <= small.target < large.target
    # Work of 120 s x 2^0.9 x 3^0.3 and 20 tasks a stage and slot.
    assert small.applications[0].predicted_finish_s[1] == pytest.approx(5.0 + 311.0 / 4.0, rel=0.25)


@pytest.mark.parametrize(
    "runs",
    [
        [replace(one, cores=4) for one in POWER],
        [replace(one, level=one.level[:6], loss=one.loss[:6]) for one in POWER],
    ],
)
def test_runs_on_other_workers_or_too_few_counts_are_left_out(runs):
    assert "this is a guess" in decide(started(size=6.0), settings(), history={"job": runs}).reason


def test_work_that_spark_has_not_shown_yet_counts_as_in_the_simulator():
    """The first of three stages is submitted: the plan of the others is part of the forecast."""
    decided = decide(started(size=6.0), settings(), history={"job": POWER}).applications[0]
    shown = application(*(stage(n, tasks=40) for n in range(3)), elapsed_s=5.0, limit_s=100.0)
    seen = observation(2, replace(shown, inputs={"size": 6.0}))
    full = decide(seen, settings(), history={"job": POWER}).applications[0]
    # Four tasks under way are half done; nothing else differs.
    assert decided.predicted_finish_s == pytest.approx(full.predicted_finish_s, rel=0.03)


def test_runs_that_tell_of_more_counts_than_asked_tell_the_same():
    wide = [
        replace(
            one, level=np.append(one.level, np.full(6, 9.0)), loss=np.append(one.loss, np.ones(6))
        )
        for one in POWER
    ]
    for runs in (wide, [*wide[:2], *POWER[2:]]):
        theirs, ours = (prior_of(some, {"size": 3.0}, COUNTS, 3) for some in (runs, POWER))
        for name in ours.__slots__:
            assert getattr(theirs, name) == pytest.approx(getattr(ours, name)), name


@pytest.mark.parametrize("size", [1e300, -1e308, 1e-300])
def test_a_decision_stands_whatever_the_inputs(size):
    decision = decide(started(size=size), settings(), history={"job": POWER})
    assert 1 <= decision.target <= 10
    assert (
        decision.applications[0].q_values is None
        or np.isfinite(decision.applications[0].q_values).all()
    )


def side_by_side(tasks: tuple[float, ...], work_s: tuple[float, ...]) -> Record:
    return replace(
        run(1.0), stage_tasks=np.array(tasks), stage_work_s=np.array(work_s), inputs={"size": 1.0}
    )


def test_stages_that_come_in_another_order_are_told_by_their_tasks():
    one = side_by_side((50.0, 100.0, 8.0), (100.0, 300.0, 10.0))
    other = side_by_side((100.0, 50.0, 8.0), (310.0, 104.0, 10.0))
    before = prior_of([one, other], one.inputs, COUNTS, 3)
    assert before.tasks[0].tolist() == [100.0, 50.0, 8.0]
    shown = prior_of([one, other], one.inputs, COUNTS, 3, shown=[50])
    # The first alone says nothing of a place that is not shown yet.
    assert shown.tasks[0].tolist() == [100.0, 50.0, 8.0]
    shown = prior_of([one, other], one.inputs, COUNTS, 3, shown=[50, 100])
    assert shown.tasks[0].tolist() == [50.0, 100.0, 8.0]
    assert np.exp(shown.share[0]) == pytest.approx([0.24, 0.73, 0.024], rel=0.05)


def test_stages_of_another_size_stay_in_their_order():
    one = side_by_side((50.0, 100.0, 8.0), (100.0, 300.0, 10.0))
    assert in_order(one, [500, 1000, 80]) is one
    assert in_order(one, [100, 100]) is one
    many = replace(run(1.0), stage_tasks=np.arange(1.0, 2001.0), stage_work_s=np.ones(2000))
    assert in_order(many, list(range(2000, 0, -1))).stage_tasks[:4].tolist() == [1.0, 2.0, 3.0, 4.0]


def made_at(workers: float | None, work_s: float) -> Record:
    return replace(run(1.0), level=np.full(COUNTS, np.log(work_s)), workers=workers)


def test_runs_at_several_counts_tell_how_the_work_depends_on_the_count():
    """Below three workers an application's cache does not fit, and much is computed again."""
    work_s = {1: 600.0, 2: 560.0, 3: 370.0, 4: 330.0, 5: 335.0, 6: 340.0}
    runs = [made_at(count, work) for count, work in work_s.items()]
    prior = prior_of(runs, {"size": 1.0}, COUNTS, 3)
    told = np.exp(prior.level[0])
    assert told[:6] == pytest.approx(list(work_s.values()), rel=0.12)
    # Nothing was tried beyond six workers.
    assert told[6:] == pytest.approx(np.full(4, told[5]))
    flat = prior_of([replace(one, workers=None) for one in runs], {"size": 1.0}, COUNTS, 3)
    assert np.ptp(flat.level[0]) == pytest.approx(0.0)
    assert sigmas(prior).max() < sigmas(flat).min()


@pytest.mark.parametrize("workers", [(2.0, 2.0), (2.0, None)])
def test_without_several_counts_the_work_is_the_same_at_each(workers):
    runs = [made_at(count, work) for count, work in zip(workers, (400.0, 420.0), strict=True)]
    assert np.ptp(prior_of(runs, {"size": 1.0}, COUNTS, 3).level[0]) == pytest.approx(0.0)


def test_hardly_different_counts_promise_no_trend():
    runs = [made_at(2.5 + 0.02 * at, 400.0 * 1.03**at) for at in range(3)]
    level = prior_of(runs, {"size": 1.0}, COUNTS, 3).level[0]
    assert np.ptp(level) < 0.07
