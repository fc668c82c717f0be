"""The pool of a cluster whose workers somebody else runs."""

from __future__ import annotations

import pytest

from builders import pool_worker
from kitwai.errors import PoolError
from kitwai.pools.unmanaged import UnmanagedPool


def test_unmanaged_pool_has_no_worker_and_changes_none():
    pool = UnmanagedPool()
    assert pool.workers() == pool.start(0) == ()
    with pytest.raises(PoolError, match='set "pool" in its connection'):
        pool.start(1)
    for change in (pool.drain, pool.stop, pool.last_words):
        with pytest.raises(PoolError, match="worker-3 is not run by Kitwai"):
            change(pool_worker(3))
