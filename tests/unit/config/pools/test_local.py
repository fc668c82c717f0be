"""The settings of the local pool."""

from __future__ import annotations

from pathlib import Path

from kitwai.config.options import airflow_home
from kitwai.config.pools.local import LocalSettings


def test_pool_without_a_directory_of_its_own_has_one_of_its_name():
    assert LocalSettings().directory("prod") == airflow_home() / "kitwai" / "pools" / "prod"
    assert LocalSettings(pool_directory="/pools").directory("prod") == Path("/pools")


def test_empty_spark_home_is_the_installed_spark():
    assert LocalSettings(spark_home="").home() is None
    assert LocalSettings(spark_home="/spark").home() == Path("/spark")
