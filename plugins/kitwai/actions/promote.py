"""The champion moved by hand: another version in the registry, and a verdict of it in the store.

The command, the DAG and the page all come through here, so that no way leaves the change untold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kitwai.actions.shadow import all_figures
from kitwai.errors import StoreError
from kitwai.registry.versions import champion_before, present_champion, promote, rollback, verify
from kitwai.store.database import DatabaseError, Engine
from kitwai.store.training import TrainingStore

PROMOTED, ROLLED_BACK = "promoted", "rolled back"


@dataclass(frozen=True, slots=True)
class Change:
    """``version`` is to be champion instead of ``before`` (None: there is none); ``verdict``: how,
    `PROMOTED` or `ROLLED_BACK`.
    """

    version: str
    before: str | None
    verdict: str


def promotion(root: Path, version: str) -> Change:
    """Make a version the champion. :raises CheckpointError: it is not whole."""
    verify(root, version)
    return Change(version, present_champion(root), PROMOTED)


def return_to_former(root: Path) -> Change:
    """Restore the champion before the present one. :raises CheckpointError: there is none."""
    return Change(*champion_before(root), ROLLED_BACK)


def change_champion(
    root: Path,
    change: Change,
    engine: Callable[[], Engine],
    *,
    by: str | None = None,
    run_id: str | None = None,
) -> StoreError | None:
    """Move the champion, and put it on record. Where the champion is moved already, only the record
    is made; where there is nothing to move, nothing is.

    :param engine: opens the store; ``by``: who wants it.
    :returns: why the champion has moved and the store does not tell of it, None where it does.
    :raises PromotionError: another is champion by now; nothing was moved.
    :raises CheckpointError: the version is not whole; nothing was moved.
    """
    version, before = change.version, change.before
    if version == before:
        return None
    if present_champion(root) != version:
        if change.verdict == PROMOTED:
            promote(root, version, before)
        else:
            rollback(root, before)
    who = "" if by is None else f", by {by}"
    try:
        opened = engine()
        shadows = [figures.sentence() for figures in all_figures(opened, version)]
        reason = " ".join([f"By hand, instead of {before}{who}.", *shadows])
        TrainingStore(opened).add_verdict(version, before, change.verdict, reason, run_id=run_id)
    except (StoreError, DatabaseError) as error:
        why = str(error).splitlines()[0]
        return StoreError(
            f"{version} is the champion now, instead of {before}, but the store has no record of "
            f"it: {why}"
        )
    return None
