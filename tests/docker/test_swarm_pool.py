from __future__ import annotations

import pytest
from pool_contract import PoolContract

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(600),
    pytest.mark.parametrize("kind", ["swarm"]),
]


class TestSwarmPool(PoolContract):
    """The contract that every pool keeps."""
