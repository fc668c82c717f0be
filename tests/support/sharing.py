"""Which tests of tests/real share a real part, and therefore run in one process."""

from __future__ import annotations

from pathlib import Path

_OWN_AIRFLOW = ("test_clusters_per_task", "test_demo", "test_schedulers")
"""Files of tests/real/airflow that start an Airflow with settings of their own."""


def shared_part(path: Path) -> str:
    """The name of what the tests of a file share: its folder's, or that of the file alone."""
    return path.stem if path.stem in _OWN_AIRFLOW else path.parent.name
