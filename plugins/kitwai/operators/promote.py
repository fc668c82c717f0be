"""The champion changed by hand: promote a version, or go back to the one before."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitwai.errors import InvalidInputError
from kitwai.operators.training import CHAMPION, TrainingOperator, run_id_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from kitwai.actions.promote import Change

_CHANGE = "change"
"""The key under which Airflow keeps the change from one try to the next."""


class ChangeChampionOperator(TrainingOperator):
    """Promotes a version without the gate, or restores the champion before the present one.

    :param action: "promote" or "rollback". (templated)
    :param version: the version to promote. (templated)
    """

    template_fields: Sequence[str] = ("action", "version")

    def __init__(self, *, action: str, version: str | None = None, **kwargs: Any) -> None:
        super().__init__(outlets=[CHAMPION], **kwargs)
        self.action = action
        self.version = version

    def work(self, context: Context) -> dict[str, Any]:
        """Change the champion, and keep in the store that a person did."""
        from kitwai.actions.promote import change_champion
        from kitwai.config.options import models_root

        store, root = self.store(), models_root()
        change = self._change(context, root)
        untold = change_champion(root, change, lambda: store.engine, run_id=run_id_of(context))
        if untold is not None:
            raise untold
        context["task_state_store"].delete(_CHANGE)
        self.log.info("%s is the champion now.", change.version)
        moved: dict[str, Any] = {"version": change.version, "before": change.before}
        context["outlet_events"][CHAMPION].extra = moved
        return moved

    def _change(self, context: Context, root: Path) -> Change:
        """What is to change. A retry means the same change as the first try: it must not take the
        champion that the first one has restored for the one to leave.
        """
        from kitwai.actions.promote import Change, promotion, return_to_former

        meant: Any = context["task_state_store"].get(_CHANGE)
        if meant is not None:
            return Change(**meant)
        if self.action == "rollback":
            change = return_to_former(root)
        elif self.action == "promote" and self.version:
            change = promotion(root, self.version)
        else:
            raise InvalidInputError("Name a version to promote, or choose the action rollback.")
        context["task_state_store"].set(_CHANGE, dataclasses.asdict(change))
        return change
