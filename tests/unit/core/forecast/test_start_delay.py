"""`core.forecast.start_delay`: what new workers need until they take tasks, measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import application, executor, observation, pool_worker, settings, stage
from kitwai.core.decide.cluster import decide
from kitwai.core.forecast.start_delay import MOST_S, measured, with_start_delay

BEGAN = 1000.0


def look(elapsed_s: float, started: dict[int, float], added: dict[int, float], **changes):
    """One application, with the start of each worker and the arrival of each executor in seconds
    since its start."""
    executors = tuple(
        replace(executor(number), added_at=BEGAN + at) for number, at in added.items()
    )
    pool = tuple(
        replace(pool_worker(number), started_at=BEGAN + at) for number, at in started.items()
    )
    one = application(elapsed_s=elapsed_s, executors=executors)
    fields = {"at": BEGAN + elapsed_s, "pool": pool, **changes}
    return observation(len(started), one, **fields)


FIRST = with_start_delay(look(10.0, {0: -60.0}, {0: 3.0}))


def delay_s(seen) -> float | None:
    return seen.past.start_delay_s


def test_a_worker_that_was_there_before_the_application_shows_no_delay():
    assert delay_s(FIRST) is None
    again = with_start_delay(look(25.0, {0: -60.0}, {0: 3.0}), FIRST)
    assert delay_s(again) is None
    assert measured(settings(), again) == settings()


def test_the_workers_of_a_look_count_by_their_mean_and_once():
    second = with_start_delay(
        look(25.0, {0: -60.0, 1: 11.0, 2: 11.0}, {0: 3.0, 1: 17.0, 2: 19.0}), FIRST
    )
    assert delay_s(second) == pytest.approx(7.0)
    third = with_start_delay(
        look(40.0, {0: -60.0, 1: 11.0, 2: 11.0}, {0: 3.0, 1: 17.0, 2: 19.0}), second
    )
    assert delay_s(third) == pytest.approx(7.0)
    fourth = with_start_delay(look(55.0, {0: -60.0, 3: 41.0}, {0: 3.0, 3: 54.0}), third)
    assert delay_s(fourth) == pytest.approx(10.0)


def test_it_outlives_looks_without_an_answer_and_applications():
    second = with_start_delay(look(25.0, {0: -60.0, 1: 11.0}, {0: 3.0, 1: 17.0}), FIRST)
    blind = with_start_delay(observation(2, applications=None), second)
    assert delay_s(blind) == pytest.approx(6.0)
    # The look before shows no executor, so none of these is known to be new.
    after = with_start_delay(look(55.0, {0: -60.0, 1: 11.0}, {0: 3.0, 1: 17.0}), blind, second)
    assert delay_s(after) == pytest.approx(6.0)
    assert delay_s(with_start_delay(observation(2), after)) == pytest.approx(6.0)


def test_clocks_that_differ_and_endless_starts_are_bounded():
    early = with_start_delay(look(25.0, {0: -60.0, 1: 20.0}, {0: 3.0, 1: 17.0}), FIRST)
    assert delay_s(early) is None
    late = with_start_delay(look(9e9, {0: -60.0, 1: 20.0}, {0: 3.0, 1: 8e9}), FIRST)
    assert delay_s(late) == MOST_S


def test_a_decision_expects_of_new_workers_what_was_measured():
    one = with_start_delay(look(25.0, {0: -60.0, 1: 11.0}, {0: 3.0, 1: 17.0}), FIRST)
    assert measured(settings(), one).start_delay_s == pytest.approx(6.0)
    busy = replace(one.applications[0], stages=(stage(tasks=200, complete=20, active=4),))
    one = replace(one, applications=(busy,))
    slow = settings(start_delay_s=90.0)
    assert decide(one, slow) == decide(one, settings())
    nothing_measured = replace(one, past=replace(one.past, start_delay_s=None))
    assert decide(nothing_measured, slow) != decide(one, slow)
