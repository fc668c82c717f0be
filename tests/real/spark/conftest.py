"""A real Spark master and a worker pool for every test, and proof that nothing is left of them.

A master lists workers and applications long after they have gone: no test shares one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from kitwai.core.records.observation import Observation, Past
from kitwai.observe.look import observe
from kitwai.pools.local.local_pool import LocalWorkerPool
from kitwai_lab.local.spark import SparkMaster
from left_over import processes_in


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path) -> Iterator[None]:
    """No process that a test has started outlives it."""
    yield
    until = time.monotonic() + 15
    while (left := processes_in(tmp_path)) and time.monotonic() < until:
        time.sleep(0.2)
    assert not left


@pytest.fixture
def spark_master(tmp_path: Path, _nothing_left: None) -> Iterator[SparkMaster]:
    with SparkMaster(tmp_path / "master") as master:
        yield master


@pytest.fixture
def pool(spark_master: SparkMaster, tmp_path: Path) -> Iterator[LocalWorkerPool]:
    pool = LocalWorkerPool(spark_master.url, tmp_path / "pool", cores=2, memory_mb=512)
    yield pool
    pool.stop_all()


@pytest.fixture
def look(spark_master: SparkMaster, pool: LocalWorkerPool) -> Callable[[], Observation]:
    # The machine may be busy: an observation that is a little late is still one.
    return partial(observe, "test", spark_master.web_url, pool, Past(), timeout_s=10.0)
