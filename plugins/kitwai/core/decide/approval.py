"""What an approval comes to when minutes have passed since the decision.

An approval allows a change from the present count up to the target asked for. It is carried out
while the newest decision still moves the same way. It goes no further than the person allowed, and
no further than the newest decision wants.
"""

from __future__ import annotations

from kitwai.core.records.decision import Decision
from kitwai.core.records.settings import ClusterSettings, Mode


def outdated(asked: Decision, newest: Decision) -> str | None:
    """Why the newest decision no longer wants what was asked.

    None while it does, or while nothing new is known.
    """
    if newest.held or newest.present is None or newest.target is None or asked.target is None:
        return None
    present, target = newest.present, newest.target
    if present == asked.target:
        return f"The {present} workers asked for are there."
    way = _way(asked.present or 0, asked.target)
    if not _way(present, target) == _way(present, asked.target) == way:
        return (
            f"{asked.target} workers were asked for; now that {present} are present, "
            f"{target} are wanted."
        )
    return None


def approved_target(
    asked: Decision, newest: Decision | None, settings: ClusterSettings
) -> tuple[int | None, str]:
    """The target that an approval of ``asked`` comes to, None where it is not carried out.

    :param newest: the newest decision that knew enough, None where no decision is fresh.
    :param settings: in force now.
    :returns: the target, and why in a sentence.
    """
    if settings.mode is not Mode.APPROVE:
        return None, f"The mode is {settings.mode.value} now."
    if settings.pause is not None:
        return None, f"{settings.pause.by} paused the cluster."
    if settings.pin is not None:
        return None, f"{settings.pin.by} pinned the target to {settings.pin.target}."
    if newest is None or newest.present is None or newest.target is None or asked.target is None:
        return None, "There is no fresh decision to hold the approval against."
    why = outdated(asked, newest)
    if why is not None:
        return None, why
    present = newest.present
    target = min(asked.target, newest.target, key=lambda count: abs(count - present))
    target = min(target, settings.constraint.max_workers)
    if _way(present, target) != _way(present, asked.target):
        return None, f"At most {settings.constraint.max_workers} workers are allowed now."
    if target == asked.target:
        return target, f"{target} workers were approved."
    return target, f"{asked.target} workers were approved, and {target} are enough now."


def _way(present: int, target: int) -> int:
    """1 for more workers, -1 for fewer, 0 for as many."""
    return (target > present) - (target < present)
