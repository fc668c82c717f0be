"""What Airflow loads from the plugins folder, and nothing else (see ``plugins/.airflowignore``).

Airflow executes this file as a top-level module in every one of its processes: keep it empty of
imports that cost time.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin


class KitwaiPlugin(AirflowPlugin):
    """Names the plugin, so that ``airflow plugins`` shows it."""

    name = "kitwai"
