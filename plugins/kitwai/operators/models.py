"""The champion changed by hand: promote a version, or go back to the one before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kitwai.errors import InvalidInputError
from kitwai.operators.training import CHAMPION, TrainingOperator, run_id_of

if TYPE_CHECKING:
    from airflow.sdk import Context


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
        from kitwai.config import models_root
        from kitwai.shadow import all_figures
        from kitwai.store.registry import present_champion, promote, rollback

        root = models_root()
        before = present_champion(root)
        if self.action == "rollback":
            version, verdict = rollback(root), "rolled back"
        elif self.action == "promote" and self.version:
            version, verdict = self.version, "promoted"
            promote(root, version, before)
        else:
            raise InvalidInputError("Name a version to promote, or choose the action rollback.")
        store = self.store()
        shadows = [one.sentence() for one in all_figures(store.engine, version)]
        reason = " ".join([f"By hand, instead of {before}.", *shadows])
        store.add_verdict(version, before, verdict, reason, run_id=run_id_of(context))
        self.log.info("%s is the champion now.", version)
        context["outlet_events"][CHAMPION].extra = {"version": version, "before": before}
        return {"version": version, "before": before}
