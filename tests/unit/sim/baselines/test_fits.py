"""`sim.baselines.fits`: what a baseline fits to the family's other runs."""

from __future__ import annotations

import numpy as np
import pytest

from kitwai.sim.baselines.fits import fits_of, true_work_s
from kitwai.sim.library import NONE
from kitwai.sim.simulator import SimulatorConfig


def test_fits_follow_the_familys_other_runs(library):
    fits = fits_of(library, SimulatorConfig())
    assert fits.known.tolist() == [True, True, True, True, False]
    assert fits.nearest[[0, 2, 3, 4]].tolist() == [1, 3, 2, NONE]
    np.testing.assert_allclose(fits.work_s[1], true_work_s(library)[1], rtol=0.15)
    # The curve is known: work grows by a fifth from 2 slots to 8.
    assert fits.work_s[1, 4] / fits.work_s[1, 1] == pytest.approx(1.2, rel=0.01)
    assert (fits.finish_s[:4, 8] < fits.finish_s[:4, 2]).all()
