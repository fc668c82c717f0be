"""Settings of an Airflow that spends no time on what does not happen in tests."""

from __future__ import annotations

QUICK_AIRFLOW = {
    # How soon a question without an answer ends.
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "3",
    # The tests' DAG files do not change.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "3600",
    "AIRFLOW__DAG_PROCESSOR__PRINT_STATS_INTERVAL": "3600",
}
