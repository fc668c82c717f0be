"""What Airflow loads from the plugins folder, and nothing else (see ``plugins/.airflowignore``).

Airflow executes this file as a top-level module in every one of its processes: keep it and
what it imports empty of imports that cost time.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from kitwai import listener


class KitwaiPlugin(AirflowPlugin):
    """Names the plugin, and what is told of the ends of its DAGs' runs."""

    name = "kitwai"
    listeners = [listener]  # noqa: RUF012
