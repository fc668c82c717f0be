"""`sim.baselines.predictive`: baselines that predict a finish time."""

from __future__ import annotations

import numpy as np
import pytest

from kitwai.sim.baselines.predictive import Ernest, Linear, fewest_in_time


def test_ernest_and_the_line_recover_their_own_formulas(library):
    runs, n = np.array([0, 2, 3]), np.arange(11.0)
    sizes = np.array([8.0, 32.0, 48.0])
    shape = np.maximum(n, 1.0)
    ernest = 5.0 + 10.0 * sizes[:, None] / shape + 3.0 * np.log(shape) + 0.5 * shape
    predicted = Ernest(1.0).predict(library, 1, runs, ernest)
    own = 5.0 + 160.0 / shape + 3.0 * np.log(shape) + 0.5 * shape
    np.testing.assert_allclose(predicted[1:], own[1:], rtol=1e-6)
    linear = 400.0 - 20.0 * n + 2.0 * sizes[:, None]
    predicted = Linear(1.0).predict(library, 1, runs, linear)
    np.testing.assert_allclose(predicted[1:], (432.0 - 20.0 * n)[1:], rtol=1e-6)


@pytest.mark.parametrize(
    ("time_s", "most", "target"),
    [(100.0, 4, 2), (80.0, 4, 3), (50.0, 4, 3), (50.0, 2, 2), (500.0, 4, 1)],
)
def test_fewest_in_time_else_the_earliest(time_s, most, target):
    finish = np.array([[np.inf, 200.0, 95.0, 60.0, 75.0]])
    found = fewest_in_time(finish, np.array([time_s]), np.array([most]))
    assert found.tolist() == [target]
