"""What Airflow loads from the plugins folder, and nothing else (see ``plugins/.airflowignore``).

Airflow executes this file as a top-level module in every one of its processes: keep it and
what it imports empty of imports that cost time.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from kitwai import listener


class _Apps:
    """Builds the web application where Airflow asks for it: in the API server, nowhere else."""

    def __get__(self, _plugin: object, _owner: object) -> list[dict[str, Any]]:
        from kitwai.web.app import cached_app

        return [{"app": cached_app(), "url_prefix": "/kitwai", "name": "Kitwai"}]


class _Links:
    """The button on a step's tasks; asked for where tasks are shown or parsed."""

    def __get__(self, _plugin: object, _owner: object) -> list[Any]:
        from kitwai.web.links import PageLink

        return [PageLink()]


class KitwaiPlugin(AirflowPlugin):
    """Names the plugin, its page, and what is told of the ends of its DAGs' runs."""

    name = "kitwai"
    listeners = [listener]  # noqa: RUF012
    fastapi_apps = _Apps()
    operator_extra_links = _Links()
    external_views = [  # noqa: RUF012
        {
            "name": "Kitwai",
            # Relative, so that it is right under a base URL with a path.
            "href": "kitwai/",
            "destination": "nav",
            "url_route": "kitwai",
            "nav_top_level": True,
        }
    ]
