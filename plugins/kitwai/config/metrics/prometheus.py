"""The settings of the metric source Prometheus."""

from __future__ import annotations

import re

from kitwai.config.fields import TimeOrZero
from kitwai.config.metrics import SourceSettings
from kitwai.errors import InvalidInputError

_MATCHERS = re.compile(r'\w+(=|!=|=~|!~)"[^"{}]*"(,\w+(=|!=|=~|!~)"[^"{}]*")*')


class PrometheusSettings(SourceSettings):
    """``metrics_address``: a URL; ``metrics_filter``: label matchers; ``metrics_window``: seconds
    over which Prometheus rates.
    """

    metrics_address: str | None = None
    metrics_filter: str | None = None
    metrics_window: TimeOrZero = 60.0

    def check(self, where: str) -> None:
        """:raises InvalidInputError: the address or the label matchers cannot be such."""
        if not (self.metrics_address or "").startswith(("http://", "https://")):
            raise InvalidInputError(
                f"{where}: metrics prometheus needs metrics_address as http://host:port."
            )
        if self.metrics_filter and not _MATCHERS.fullmatch(self.metrics_filter):
            raise InvalidInputError(
                f"{where}: metrics_filter must be label matchers for Prometheus, such as "
                'job="node".'
            )
