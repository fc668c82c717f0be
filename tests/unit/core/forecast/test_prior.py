"""`core.forecast.prior`: what is known of applications before they run, as one batch."""

from __future__ import annotations

import numpy as np

from builders import COUNTS, planned
from kitwai.core.forecast.prior import Prior, unknown


def test_priors_of_families_with_different_stages_stack():
    three, five = planned(1.0, tasks=(40.0,) * 3, gap_s=(0.5,) * 3), unknown(1, COUNTS, 5)
    both = Prior.stack([three, five])
    assert both.tasks.tolist() == [[40.0] * 3 + [0.0] * 2, [0.0] * 5]
    assert both.informed.tolist() == [True, False]
    assert (both.take(np.array([0])).level == three.level).all()
    assert (both.take(np.array([1])).cov == five.cov).all()


def test_beyond_ten_workers_an_unknown_curve_stays_as_it_is_at_ten():
    wide = unknown(1, 14, 1)
    assert (wide.level[0, 9:] == wide.level[0, 9]).all()
    assert (wide.level[0, :10] == unknown(1, 10, 1).level[0]).all()
    assert (np.linalg.eigvalsh(wide.cov[0]) > 0.0).all()
