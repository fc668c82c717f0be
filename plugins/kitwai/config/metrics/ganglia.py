"""The settings of the metric source Ganglia."""

from __future__ import annotations

import re

from kitwai.config.metrics import SourceSettings
from kitwai.errors import InvalidInputError

_ADDRESS = re.compile(r"[^\s/@]+:\d{1,5}")


class GangliaSettings(SourceSettings):
    """``metrics_address``: ``host:port``; ``metrics_filter``: Ganglia's name of the cluster."""

    metrics_address: str | None = None
    metrics_filter: str | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, once they are checked."""
        host, _, port = (self.metrics_address or "").rpartition(":")
        return host.strip("[]"), int(port)

    def check(self, where: str) -> None:
        """:raises InvalidInputError: the address cannot be one."""
        if not _ADDRESS.fullmatch(self.metrics_address or ""):
            raise InvalidInputError(
                f"{where}: metrics ganglia needs metrics_address as host:port of a gmond or gmetad."
            )
