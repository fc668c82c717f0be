"""What Airflow loads from the plugins folder, and nothing else (see ``plugins/.airflowignore``).

Airflow executes this file as a top-level module in every one of its processes: keep it and
what it imports empty of imports that cost time.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from kitwai import listener

log = logging.getLogger(__name__)


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


class _Views:
    """The page in Airflow's navigation, and in a tab of its DAGs; asked for in the API server."""

    def __get__(self, _plugin: object, _owner: object) -> list[dict[str, Any]]:
        return _views()


@cache
def _views() -> list[dict[str, Any]]:
    # One list: Airflow takes out of it what it cannot show.
    # Addresses are relative, so that they are right under a base URL with a path.
    page = {
        "name": "Kitwai",
        "href": "kitwai/",
        "destination": "nav",
        "url_route": "kitwai",
        "nav_top_level": True,
    }
    # Airflow shows a tab on every DAG or on none; its `url_route` must be no other view's.
    tab = {
        "name": "Kitwai",
        "href": "kitwai/?dag={DAG_ID}",
        "destination": "dag",
        "url_route": "kitwai-dag",
    }
    return [page, tab] if _dag_tab() else [page]


def _dag_tab() -> bool:
    from kitwai.config.options import dag_tab
    from kitwai.errors import InvalidInputError

    try:
        return dag_tab()
    except InvalidInputError as error:
        # An error here would take all plugins' views off Airflow's pages.
        log.error("%s The tab is shown.", error)
        return True


class KitwaiPlugin(AirflowPlugin):
    """Names the plugin, its page, and what is told of the ends of its DAGs' runs."""

    name = "kitwai"
    listeners = [listener]  # noqa: RUF012
    fastapi_apps = _Apps()
    operator_extra_links = _Links()
    external_views = _Views()
