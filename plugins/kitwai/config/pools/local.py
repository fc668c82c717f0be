"""The settings of the pool of processes on this machine."""

from __future__ import annotations

from pathlib import Path

from kitwai.config.options import airflow_home
from kitwai.config.pools import PoolSettings


class LocalSettings(PoolSettings):
    """``pool_directory`` tells the pool from others on this machine; ``spark_home``: its Spark."""

    pool_directory: str | None = None
    spark_home: str | None = None

    def directory(self, name: str) -> Path:
        """The folder of the pool called ``name``."""
        return Path(self.pool_directory or airflow_home() / "kitwai" / "pools" / name)

    def home(self) -> Path | None:
        """The folder of the Spark to run; None for the installed one."""
        return Path(self.spark_home) if self.spark_home else None
