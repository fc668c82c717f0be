"""Applications and episodes that the tests of learning share."""

from __future__ import annotations

import numpy as np
import pytest

from kitwai.learning.experience import Pool
from kitwai.sim.library import Library
from kitwai.sim.synthetic import synthetic_profiles


@pytest.fixture(scope="package")
def library() -> Library:
    return Library(synthetic_profiles(30, seed=0))


@pytest.fixture(scope="package")
def pool(library) -> Pool:
    return Pool.draw(library, 400, np.random.default_rng(0))
