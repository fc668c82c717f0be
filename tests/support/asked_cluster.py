"""The connection of a cluster that is never looked at, and what people set on it."""

from __future__ import annotations

from kitwai.config.connection import cluster_config
from kitwai.core.records.overrides import Control

NOW = 1000.0
LOCAL = {"pool": "local", "mode": "auto"}


class Hook:
    """A cluster's connection, and what a run asks for; it has no cluster to look at."""

    conn_id = "test"
    history = None
    history_sha256 = None

    def __init__(self, extra, **asked):
        self.asked = frozenset(asked)
        self.config = cluster_config("test", host="h", port=None, schema=None, extra=extra, **asked)


def set_(store, name, value, until=None, at=NOW):
    store.controls.add("test", Control(name, value, at, "ada", until))
