"""What Airflow is told of the page: its place in the navigation and the tab of DAGs."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from kitwai import plugin
from kitwai.plugin import KitwaiPlugin


@pytest.fixture
def views(monkeypatch):
    """The plugin's views with a value of `[kitwai] dag_tab`, by destination."""

    def with_setting(value: str | None) -> dict[str, dict]:
        plugin._views.cache_clear()
        if value is None:
            monkeypatch.delenv("AIRFLOW__KITWAI__DAG_TAB", raising=False)
        else:
            monkeypatch.setenv("AIRFLOW__KITWAI__DAG_TAB", value)
        return {view["destination"]: view for view in KitwaiPlugin().external_views}

    yield with_setting
    plugin._views.cache_clear()


def test_the_page_has_a_place_and_dags_a_tab(views):
    found = views(None)
    assert list(found) == ["nav", "dag"]
    assert found["dag"]["name"] == "Kitwai"
    # Airflow fills in the id; under a base URL with a path the address must be relative.
    assert found["dag"]["href"] == "kitwai/?dag={DAG_ID}"
    # Of two views with one route Airflow shows the first alone.
    assert len({view["url_route"] for view in found.values()}) == 2


@pytest.mark.parametrize(("value", "tab"), [("true", True), (" False ", False), ("TRUE", True)])
def test_the_tab_can_be_taken_off(views, value, tab):
    assert ("dag" in views(value)) == tab
    assert "nav" in views(value)


def test_a_wrong_setting_is_named_and_takes_no_page_away(views, caplog):
    assert list(views("yes please")) == ["nav", "dag"]
    assert "[kitwai] dag_tab must be true or false, not 'yes please'." in caplog.text


def test_airflow_shows_both(views, monkeypatch):
    """By Airflow's own collecting of views, which takes out what it cannot show."""
    from airflow import plugins_manager
    from airflow.api_fastapi.core_api.datamodels.plugins import ExternalViewResponse

    found = list(views(None).values())
    monkeypatch.setattr(plugins_manager, "_get_plugins", lambda: ([KitwaiPlugin()], {}))
    shown, _ = plugins_manager._get_ui_plugins.__wrapped__()
    assert shown == found
    assert [ExternalViewResponse.model_validate(view).href for view in shown] == [
        "kitwai/",
        "kitwai/?dag={DAG_ID}",
    ]


def test_loading_it_costs_no_imports():
    script = (
        "import sys, kitwai.plugin; "
        "print([name for name in ('kitwai.web', 'numpy', 'fastapi') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stderr


@pytest.mark.slow
def test_one_line_in_the_plugins_folder_brings_the_installed_plugin(repository, tmp_path):
    """As docs/connect.md has it."""
    install = (repository / "docs" / "connect.md").read_text()
    (line,) = re.findall("echo '(.+)' > \"\\$AIRFLOW_HOME/plugins/kitwai_plugin.py\"", install)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "kitwai_plugin.py").write_text(line + "\n")
    script = (
        "from airflow import plugins_manager as manager; "
        "plugins, errors = manager._get_plugins(); "
        "print([plugin.name for plugin in plugins], errors, len(manager.get_fastapi_plugins()[0]))"
    )
    home = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(tmp_path / "plugins"),
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | home, capture_output=True, text=True
    )
    assert done.stdout.strip().splitlines()[-1] == "['kitwai'] {} 1", done.stdout + done.stderr
