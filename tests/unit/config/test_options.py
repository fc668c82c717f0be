"""The options of `[kitwai]`."""

from __future__ import annotations

import pytest

from kitwai.config.options import clusters_per_task
from kitwai.errors import InvalidInputError


@pytest.mark.parametrize("count", ["0", "101", "-1", "many", "2.5"])
def test_a_count_that_cannot_be_is_named(monkeypatch, count):
    monkeypatch.setenv("AIRFLOW__KITWAI__CLUSTERS_PER_TASK", count)
    with pytest.raises(InvalidInputError, match="clusters_per_task must be a number from 1 to 100"):
        clusters_per_task()
