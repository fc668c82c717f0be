"""The settings of the pool of Swarm services."""

from __future__ import annotations

import pytest

from kitwai.config.connection import cluster_config
from kitwai.errors import InvalidInputError


def config(extra=None, **asked):
    fields = {"host": "spark", "port": 8080, "schema": "http", "extra": extra or {}}
    return cluster_config("prod", **(fields | asked))


def test_swarm_reserves_what_a_worker_may_use_unless_told_otherwise():
    usual, told = config({"pool": "swarm"}), config({"pool": "swarm", "reserved_cpus": 0})
    assert usual.pool.settings.containers.reserved_cpus == 2.0
    assert told.pool.settings.containers.reserved_cpus == 0
    with pytest.raises(InvalidInputError, match="reserved_cpus must be at most container_cpus"):
        config({"pool": "swarm", "container_cpus": 1, "reserved_cpus": 1.5})
