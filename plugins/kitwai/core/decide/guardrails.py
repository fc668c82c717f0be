"""Guardrails: hard rules between what a policy recommends and what is done.

A rule takes the targets of B applications, or of B clusters, and gives targets. Every rule is
written once, over arrays: a live step asks with B = 1, simulated episodes with thousands. A `Move`
tells what a rule changed, and why in a plain sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kitwai.core.forecast.arrays import Bools, Floats, Ints
from kitwai.core.records.decision import GuardrailNote
from kitwai.core.records.observation import Past
from kitwai.core.records.settings import ClusterSettings

_NO_GAIN = 0.01
"""Ending earlier by less than this share of the limit is not worth a worker."""


@dataclass(frozen=True, slots=True)
class Move:
    """What one rule did to B targets. ``say``: from a row to the rule's name and its reason."""

    before: Ints
    after: Ints
    say: Callable[[int], tuple[str, str]]


def notes_of(moves: Sequence[Move], row: int = 0) -> tuple[GuardrailNote, ...]:
    """The notes of one row: one for each rule that changed its target."""
    notes = []
    for move in moves:
        before, after = int(move.before[row]), int(move.after[row])
        if before != after:
            name, reason = move.say(row)
            notes.append(GuardrailNote(name, before, after, reason))
    return tuple(notes)


def _at(values: Floats, counts: Ints) -> Floats:
    """[B] the value of each row at its worker count. ``values``: [B, W]; ``counts``: [B], 1..W."""
    return np.asarray(values[np.arange(len(values)), counts - 1])


def guard_applications(
    target: Ints,
    *,
    finish_s: Floats,
    present: Ints,
    max_workers: Ints,
    limit_s: Floats,
    margin: float,
) -> tuple[Ints, tuple[Move, ...]]:
    """Keep each target at or above what the limit needs, and add no worker that does not help.

    :param target: [B], each in 1..N.
    :param finish_s: [B, W] predicted seconds from start to end, index i for target i + 1.
    :param present: [B] workers that are there; ``max_workers``: [B] N; ``limit_s``: [B].
    :param margin: share of the limit that a predicted finish may use, 0..1.
    """
    counts = np.arange(1, finish_s.shape[1] + 1)
    allowed = counts <= max_workers[:, None]
    within = allowed & (finish_s <= margin * limit_s[:, None])
    met = within.any(axis=1)
    needed = np.where(met, within.argmax(axis=1) + 1, 1)
    fastest = np.where(allowed, finish_s, np.inf).argmin(axis=1) + 1
    fastest_s = _at(finish_s, fastest)

    sooner = ~met & (target < fastest) & (fastest_s < _at(finish_s, target))
    hurried = np.where(sooner, fastest, target)
    enough_for_limit = np.where(met, np.maximum(hurried, needed), hurried)
    # Those that are there may be wanted by work that the driver has not submitted yet.
    latest_s = _at(finish_s, enough_for_limit) + _NO_GAIN * limit_s
    as_fast = (finish_s <= latest_s[:, None]).argmax(axis=1) + 1
    useful = np.maximum.reduce([as_fast, needed, present])
    final = np.minimum(enough_for_limit, useful)

    def hurry(row: int) -> tuple[str, str]:
        limit, most, end_s = limit_s[row], max_workers[row], fastest_s[row]
        return (
            "limit in danger" if end_s <= limit else "limit out of reach",
            f"No count up to {most} is predicted to end within {margin:.0%} of the limit "
            f"of {limit:.0f} s; {fastest[row]} workers end earliest, at {end_s:.0f} s.",
        )

    def keep(row: int) -> tuple[str, str]:
        before = hurried[row]
        predicted = f"{before} would end at {finish_s[row, before - 1]:.0f} s of "
        predicted += f"{limit_s[row]:.0f} s"
        if present[row] > before:
            return "scale-in below need", f"{predicted}, so at least {needed[row]} stay."
        return "predicted late", f"{predicted}, so {needed[row]} are needed."

    def spare(row: int) -> tuple[str, str]:
        after = final[row]
        return (
            "no gain",
            f"{enough_for_limit[row]} would end hardly earlier than {after}, "
            f"which end at {finish_s[row, after - 1]:.0f} s.",
        )

    return final, (
        Move(target, hurried, hurry),
        Move(hurried, enough_for_limit, keep),
        Move(enough_for_limit, final, spare),
    )


@dataclass(frozen=True, slots=True)
class ClusterPast:
    """The recent past of B clusters. Seconds are infinite where nothing of the kind was done.

    ``since_out_s``, ``since_in_s`` [B]: since the last scale-out and scale-in. ``busy`` [B]: a
    scaling is under way. ``changes`` [B]: workers started or told to leave within the last hour.
    """

    since_out_s: Floats
    since_in_s: Floats
    busy: Bools
    changes: Floats

    @classmethod
    def of(cls, past: Past) -> ClusterPast:
        """The past of one cluster, as a step observes it."""

        def number(value: float | None, missing: float) -> Floats:
            return np.array([missing if value is None else float(value)])

        return cls(
            number(past.since_scale_out_s, np.inf),
            number(past.since_scale_in_s, np.inf),
            np.array([past.operation is not None]),
            # A count that is not known keeps nothing.
            number(past.changes_1h, -np.inf),
        )


def guard_clusters(
    target: Ints,
    *,
    present: Ints,
    past: ClusterPast,
    max_workers: Ints,
    settings: ClusterSettings,
    urgent: Bools,
    operation: str | None = None,
) -> tuple[Ints, tuple[Move, ...]]:
    """Bounds, one operation at a time, a cooldown for each direction, and the flap budget.

    A cluster below ``min_workers`` waits for nothing but an operation under way: cooldown and flap
    budget hold the present count, or the fewest workers that must be there.

    :param target: [B]; ``present``: [B]; ``max_workers``: [B] N.
    :param urgent: [B] a limit is predicted missed at the present count; then scaling out waits
        neither for its cooldown nor for the flap budget.
    :param operation: the operation under way in words, for the reason.
    """
    moves: list[Move] = []

    def move(where: Bools, after: Ints | int, say: Callable[[int], tuple[str, str]]) -> None:
        nonlocal target
        moved = np.where(where, after, target)
        moves.append(Move(target, moved, say))
        target = moved

    fewest = settings.min_workers
    move(
        target > max_workers,
        max_workers,
        lambda row: (
            "most workers",
            f"The constraint allows at most {max_workers[row]} workers.",
        ),
    )
    move(target < fewest, fewest, lambda row: ("fewest workers", f"At least {fewest} stay."))
    # Above N nothing holds the way back to it.
    free = present <= max_workers
    move(
        free & past.busy & (target != present),
        present,
        lambda row: ("operation under way", f"{operation or 'A scaling'} is still under way."),
    )
    stay = np.maximum(present, fewest)
    last_s = np.minimum(past.since_out_s, past.since_in_s)
    waits_out = free & (target > stay) & ~urgent & (past.since_out_s < settings.cooldown_out_s)
    waits_in = free & (target < present) & (last_s < settings.cooldown_in_s)
    move(
        waits_out,
        stay,
        lambda row: (
            "cooldown",
            f"The last scale-out was {past.since_out_s[row]:.0f} s ago, less than "
            f"{settings.cooldown_out_s:.0f} s.",
        ),
    )
    move(
        waits_in,
        present,
        lambda row: (
            "cooldown",
            f"The last scaling was {last_s[row]:.0f} s ago, less than "
            f"{settings.cooldown_in_s:.0f} s.",
        ),
    )
    budget = settings.flap_budget
    if budget is not None:
        change = np.abs(target - present)
        over = (change > 0) & (target != stay) & (past.changes + change > budget)
        move(
            free & over & ~(urgent & (target > present)),
            stay,
            lambda row: (
                "flap budget",
                f"Within the last hour {past.changes[row]:.0f} workers were started or told to "
                f"leave; with {change[row]} more it would be above the budget of {budget}.",
            ),
        )
    return target, tuple(moves)


def guard_cluster(
    target: int, *, present: int, past: Past, settings: ClusterSettings, urgent: bool
) -> tuple[int, tuple[GuardrailNote, ...]]:
    """`guard_clusters` for one cluster, whose past a step observed."""
    final, moves = guard_clusters(
        np.array([target]),
        present=np.array([present]),
        past=ClusterPast.of(past),
        max_workers=np.array([settings.constraint.max_workers]),
        settings=settings,
        urgent=np.array([urgent]),
        operation=past.operation,
    )
    return int(final[0]), notes_of(moves)
