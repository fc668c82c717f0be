"""`core.policy.policy`, `core.policy.state`: what a miss costs and what may be asked for, by what
is known.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from builders import Seen, view
from kitwai.core.forecast.prior import Prior, unknown
from kitwai.core.policy.policy import ForecastPolicy
from kitwai.core.policy.state import GUESS_SIGMA, State, build_state

COUNTS = 10


def known(sigma: float) -> Prior:
    """A family whose runs take 1,600 slot-seconds, known to about ``sigma``."""
    return replace(
        unknown(1, COUNTS, 1),
        level=np.full((1, COUNTS), np.log(1600.0)),
        cov=sigma**2 * np.ones((1, COUNTS, COUNTS)) + 1e-4 * np.eye(COUNTS),
        spread=np.array([0.01]),
        tasks=np.array([[200.0]]),
        informed=np.ones(1, dtype=np.bool_),
    )


def asked(prior: Prior, stage: Seen, price: float = 2.5, workers: int = 4) -> State:
    seen = view(stage, now=2.0, serving=workers)
    return build_state(seen, prior, np.array([price]), start_delay_s=15.0, drain_s=20.0)


BEGUN = Seen(200, active=8, began_s=0.0)
TOLD = Seen(200, {4: (20, 160.0)}, active=8, began_s=0.0)


def q(prior: Prior, stage: Seen, price: float) -> np.ndarray:
    return ForecastPolicy().values(asked(prior, stage, price)).q[0]


def test_a_miss_has_its_price_where_the_family_is_known():
    # What is lost by a miss is as much more, whatever is seen of this run.
    for stage in (BEGUN, TOLD):
        cheap, dear = (q(known(0.6), stage, price) for price in (1.0, 3.0))
        assert (dear < cheap).all()


def test_where_nothing_is_known_a_miss_costs_half_once_a_task_has_ended():
    new = unknown(1, COUNTS, 1)
    assert (q(new, BEGUN, 1.0) > q(new, BEGUN, 3.0)).all()
    assert (q(new, TOLD, 1.0) > q(new, TOLD, 3.0)).all()
    # Half of the price: as one whose family is known, and who sees the same, would be charged.
    state = asked(new, TOLD, 2.0)
    informed = replace(state, informed=np.ones(1, dtype=np.bool_), price=np.array([1.0]))
    policy = ForecastPolicy()
    assert policy.values(state).q == pytest.approx(policy.values(informed).q)
    begun = asked(new, BEGUN, 2.0)
    as_known = replace(begun, informed=np.ones(1, dtype=np.bool_))
    assert policy.values(begun).q == pytest.approx(policy.values(as_known).q)


@pytest.mark.parametrize(
    ("prior", "stage", "fewer"),
    [
        pytest.param(known(0.2), BEGUN, True, id="past runs tell enough"),
        pytest.param(known(1.5 * GUESS_SIGMA), BEGUN, False, id="they leave it open"),
        pytest.param(unknown(1, COUNTS, 1), BEGUN, False, id="nothing is known"),
        pytest.param(known(1.5 * GUESS_SIGMA), TOLD, True, id="they do, but a task has ended"),
        pytest.param(unknown(1, COUNTS, 1), TOLD, True, id="nothing is, but a task has ended"),
    ],
)
def test_workers_leave_before_the_first_task_has_ended_only_where_enough_is_known(
    prior, stage, fewer
):
    mask = asked(prior, stage).mask[0]
    assert mask[3:].all()
    assert mask[:3].tolist() == [fewer] * 3


@pytest.mark.parametrize(
    ("limit_s", "slowdown", "in_time", "fewest"),
    [
        pytest.param(400.0, 0.0, True, 1, id="some count is in time"),
        pytest.param(70.0, 0.0, False, 4, id="none is"),
        pytest.param(600.0, 1.2, False, 1, id="none is, but with one worker it would end first"),
    ],
)
def test_while_no_count_is_predicted_to_be_in_time_no_worker_leaves(
    limit_s, slowdown, in_time, fewest
):
    """About 180 tasks of 8 s are left; n workers make each of them n**slowdown times as long."""
    prior = known(0.6)
    prior.level[0] += slowdown * np.log(np.arange(1, COUNTS + 1))
    told = Seen(200, {4: (20, 160.0 * 4**slowdown)}, active=8, began_s=0.0)
    seen = view(told, now=2.0, serving=4, limit_s=limit_s)
    state = build_state(seen, prior, np.array([2.5]), start_delay_s=0.0, drain_s=0.0)
    assert (state.z[0].max() >= 0.0) == in_time
    assert state.mask[0].tolist() == [n >= fewest for n in range(1, COUNTS + 1)]
