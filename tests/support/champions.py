"""A registry whose champion changed twice, and a store that keeps or refuses verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from kitwai.registry.versions import promote
from kitwai.store.store import Store
from kitwai.store.training import TrainingStore
from recorded_day import past, save_checkpoint


def three_champions(folder: Path) -> Path:
    """Three versions, of which v1 and v2 were champions before v3."""
    runs = [run.profile for run in past()]
    for version in ("v1", "v2", "v3"):
        save_checkpoint(folder, version, runs)
    promote(folder, "v1", None)
    promote(folder, "v2", "v1")
    promote(folder, "v3", "v2")
    return folder


def verdicts_told(store: Store) -> list[tuple[str, str | None, str, str]]:
    return [
        (verdict.version, verdict.champion, verdict.verdict, verdict.reason)
        for verdict in store.training.verdicts()
    ]


@contextmanager
def refused_verdicts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """The store fails when a verdict is to be kept; what is given mends it."""

    def fail(*args, **kwargs):
        raise OperationalError("INSERT", {}, Exception("disk full"))

    with monkeypatch.context() as patch:
        patch.setattr(TrainingStore, "add_verdict", fail)
        yield patch.undo
