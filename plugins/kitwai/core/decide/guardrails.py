"""Guardrails: hard rules between what a policy recommends and what is done.

Each rule takes a target and gives a target, with a note when it changed it. Those of one
application know its predicted finish; those of the cluster know bounds and the recent past.
"""

from __future__ import annotations

from collections.abc import Sequence

from kitwai.core.records.constraint import Constraint
from kitwai.core.records.decision import ClusterSettings, GuardrailNote
from kitwai.core.records.observation import Past

_NO_GAIN = 0.01
"""Ending earlier by less than this share of the limit is not worth a worker."""


def least_needed(finish_s: Sequence[float], limit_s: float, margin: float, most: int) -> int | None:
    """The fewest workers (1..``most``) predicted to end within ``margin`` of the limit, or None."""
    for workers in range(1, most + 1):
        if finish_s[workers - 1] <= margin * limit_s:
            return workers
    return None


def _fewest_as_fast(target: int, finish_s: Sequence[float], tolerance_s: float) -> int:
    """The fewest workers predicted to end at most ``tolerance_s`` after ``target`` would."""
    latest = finish_s[target - 1] + tolerance_s
    return next(workers for workers in range(1, target + 1) if finish_s[workers - 1] <= latest)


def guard_application(
    target: int,
    *,
    finish_s: Sequence[float],
    present: int,
    constraint: Constraint,
    margin: float,
) -> tuple[int, tuple[GuardrailNote, ...]]:
    """Keep ``target`` at or above what the limit needs, and add no worker that does not help.

    :param finish_s: predicted seconds from start to end, index i for target i + 1.
    """
    notes: list[GuardrailNote] = []
    most, limit = constraint.max_workers, constraint.limit_s
    needed = least_needed(finish_s, limit, margin, most)
    if needed is None:
        fastest = min(range(1, most + 1), key=lambda n: (finish_s[n - 1], n))
        if target < fastest and finish_s[fastest - 1] < finish_s[target - 1]:
            within = finish_s[fastest - 1] <= limit
            notes.append(
                GuardrailNote(
                    "limit in danger" if within else "limit out of reach",
                    target,
                    fastest,
                    f"No count up to {most} is predicted to end within {margin:.0%} of the limit "
                    f"of {limit:.0f} s; {fastest} workers end earliest, "
                    f"at {finish_s[fastest - 1]:.0f} s.",
                )
            )
            target = fastest
    elif target < needed:
        predicted = f"{target} would end at {finish_s[target - 1]:.0f} s of {limit:.0f} s"
        if present > target:
            name, why = "scale-in below need", f"{predicted}, so at least {needed} stay."
        else:
            name, why = "predicted late", f"{predicted}, so {needed} are needed."
        notes.append(GuardrailNote(name, target, needed, why[0].upper() + why[1:]))
        target = needed
    # Those that are there may be wanted by work that the driver has not submitted yet.
    enough = max(_fewest_as_fast(target, finish_s, _NO_GAIN * limit), needed or 1, present)
    if enough < target:
        notes.append(
            GuardrailNote(
                "no gain",
                target,
                enough,
                f"{target} would end hardly earlier than {enough}, "
                f"which end at {finish_s[enough - 1]:.0f} s.",
            )
        )
        target = enough
    return target, tuple(notes)


def guard_cluster(
    target: int,
    *,
    present: int,
    past: Past,
    settings: ClusterSettings,
    urgent: bool,
) -> tuple[int, tuple[GuardrailNote, ...]]:
    """Bounds, one operation at a time, cooldown per direction, flap budget.

    Fewer than ``min_workers`` wait for nothing but an operation under way: what cooldown and flap
    budget hold is the present count, or the fewest workers that must be there.

    :param urgent: a limit is predicted missed at the present count; then scaling out waits neither
        for its cooldown nor for the flap budget.
    """
    notes: list[GuardrailNote] = []

    def move(name: str, after: int, reason: str) -> None:
        nonlocal target
        notes.append(GuardrailNote(name, target, after, reason))
        target = after

    most = settings.constraint.max_workers
    if target > most:
        move("most workers", most, f"The constraint allows at most {most} workers.")
    if target < settings.min_workers:
        move("fewest workers", settings.min_workers, f"At least {settings.min_workers} stay.")
    if present > most:
        return target, tuple(notes)
    if target != present and past.operation is not None:
        move("operation under way", present, f"{past.operation} is still under way.")
    since_out, since_in = past.since_scale_out_s, past.since_scale_in_s
    stay = max(present, settings.min_workers)
    if target > stay and not urgent and since_out is not None:
        if since_out < settings.cooldown_out_s:
            move(
                "cooldown",
                stay,
                f"The last scale-out was {since_out:.0f} s ago, less than "
                f"{settings.cooldown_out_s:.0f} s.",
            )
    elif target < present:
        recent = [s for s in (since_out, since_in) if s is not None]
        if recent and min(recent) < settings.cooldown_in_s:
            move(
                "cooldown",
                present,
                f"The last scaling was {min(recent):.0f} s ago, less than "
                f"{settings.cooldown_in_s:.0f} s.",
            )
    used, budget = past.changes_1h, settings.flap_budget
    if used is not None and budget is not None and not (urgent and target > present):
        change = abs(target - present)
        if change and target != stay and used + change > budget:
            move(
                "flap budget",
                stay,
                f"Within the last hour {used} workers were started or told to leave; with {change} "
                f"more it would be above the budget of {budget}.",
            )
    return target, tuple(notes)
