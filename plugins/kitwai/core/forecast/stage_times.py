"""How long stages last, given their tasks: waves on the slots, and the driver's gaps between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kitwai.core.forecast.arrays import Floats, Ints, View

GAP_WEIGHT = 0.5
"""Weight of the prior's driver time, in gaps of the run itself."""

_WAVE_SIGMA = 0.15

_ALIKE = 0.1
"""Stages whose task counts differ by this share have the likeness exp(-1/2)."""

_ALIKE_WEIGHT = 0.5
"""So many alike stages must be seen before half of their deviation is expected of another stage."""

_ALIKE_REST = 0.05
"""Share of a stage's variance that alike stages do not explain, however many there are."""


def sums(at: tuple[Ints, Ints], values: Floats, shape: tuple[int, ...]) -> Floats:
    """The values summed by row and column.

    :param at: row and column of each value; ``shape``: shape of the result.
    """
    where = at[0] * shape[1] + at[1]
    total = np.bincount(where, weights=values, minlength=shape[0] * shape[1])
    return total.astype(np.float64).reshape(shape)


def makespan(tasks: Floats, slots: Floats) -> Floats:
    """Time of a stage's tasks on some slots, in mean task times.

    Full waves come first, then a last wave. The last wave starts when the slots that it needs are
    free; task times vary by `_WAVE_SIGMA`, so some slots are free early. It ends with its longest
    task. It ends no later than a last wave on all slots, in which slow slots get fewer tasks.
    Fitted to list scheduling of lognormal tasks: 10 to 200 tasks on 2 to 20 slots.

    :param tasks: [B, S]; ``slots``: [B, W].
    :returns: [B, S, W], 0 where there are no tasks.
    """
    time = np.zeros((*tasks.shape, slots.shape[1]))
    row, stage = np.nonzero(tasks > 0)
    time[row, stage] = makespan_of(tasks[row, stage][:, None], slots[row])
    return time


def makespan_of(k: Floats, m: Floats) -> Floats:
    """`makespan` of ``k`` > 0 tasks on ``m`` slots, element by element."""
    ratio = k / m
    waves = np.maximum(np.ceil(ratio - 1e-9) - 1.0, 0.0)
    part = np.clip(ratio - waves, 0.03, 0.97)
    # The logistic quantile stands in for the normal one.
    begins = waves + 0.55 * _WAVE_SIGMA * np.sqrt(waves) * np.log(part / (1.0 - part))
    longest = 1.0 + 0.7 * _WAVE_SIGMA * np.sqrt(2.0 * np.log(np.maximum(part * m, 1.0)))
    last = np.maximum(begins, ratio - 0.5) + longest
    lag = 0.86 * _WAVE_SIGMA * np.sqrt(2.0 * (waves + 1.0) * np.log(np.maximum(m, 1.0)))
    last = np.minimum(last, waves + 1.0 + lag / (1.0 + 0.78 * lag))
    return np.asarray(np.where(waves > 0, last, np.minimum(k, 1.0) * longest))


def of_stages_alike(
    tasks: Ints, own: Floats, variance: Floats, before: Floats
) -> tuple[Floats, Floats]:
    """Each stage's deviation, with what the alike stages tell of it.

    Stages with about as many tasks are alike: they are often rounds of one loop, or read the same
    number of shuffle partitions.

    :param tasks: [B, S] task counts; ``own``, ``variance``: [B, S] each stage's deviation as its
        own tasks tell it; ``before``: [B, S] its variance when nothing was seen.
    :returns: [B, S] mean and variance of the deviation.
    """
    logs = np.log(np.maximum(tasks, 1))
    seen = 1.0 - variance / before
    alike = np.exp(-0.5 * ((logs[:, :, None] - logs[:, None, :]) / _ALIKE) ** 2) * seen[:, None, :]
    total = alike.sum(axis=2)
    others = (alike * own[:, None, :]).sum(axis=2) / (total + _ALIKE_WEIGHT)
    gain = total / (total + _ALIKE_WEIGHT)
    left = before * (1.0 - (1.0 - _ALIKE_REST) * gain)
    mean = seen * own + (1.0 - seen) * others
    return mean, np.minimum(variance, seen * variance + (1.0 - seen) * left)


@dataclass(frozen=True, slots=True)
class Cells:
    """The C cells of a view that hold finished tasks: one cell a stage and worker count. All [C].

    ``row``, ``stage``: position of the application and of its stage in the view; ``count``: workers
    that served, less one; ``tasks``: finished tasks; ``run_s``: sum of their run times in seconds;
    ``first``, ``first_s``: the part of both that is of tasks that were the first on their slot;
    ``doubt``: extra sigma of the log of their mean time.
    """

    row: Ints
    stage: Ints
    count: Ints
    tasks: Floats
    run_s: Floats
    first: Floats
    first_s: Floats
    doubt: Floats

    def take(self, which: Ints) -> Cells:
        """Some of the cells."""
        return Cells(*(getattr(self, name)[which] for name in self.__slots__))


def cells(view: View, counts: int) -> Cells:
    """The cells that hold finished tasks. A sum over them takes a tenth of a sum over all cells.

    :param counts: cells of more workers are left out.
    """
    at = np.flatnonzero(view.cell_n > 0)
    row, stage, count = np.unravel_index(at, view.cell_n.shape)
    inside = (count >= 1) & (count <= counts)
    row, stage, count = row[inside], stage[inside], count[inside]
    at_cells = (row, stage, count)
    return Cells(
        row,
        stage,
        count - 1,
        tasks=view.cell_n[at_cells],
        run_s=view.cell_s[at_cells],
        first=view.first_n[at_cells],
        first_s=view.first_s[at_cells],
        doubt=np.zeros(len(row)),
    )


def gaps(view: View) -> Floats:
    """[B, S] seconds before each stage in which no earlier stage had tasks left. They are 0 where
    the stage has not begun.
    """
    begun = np.isfinite(view.began_s)
    # A stage that has begun and not ended has tasks left all the while.
    ended = np.where(begun, view.ended_s, 0.0)
    before = np.maximum.accumulate(ended, axis=1)
    before = np.concatenate([np.zeros((len(before), 1)), before[:, :-1]], axis=1)
    gap = np.where(begun, view.began_s, 0.0) - before
    return np.asarray(np.maximum(gap, 0.0))


def gaps_left(view: View, gap_s: Floats, prior_s: Floats, left: Floats) -> Floats:
    """[B] seconds of driver time before the stages that have not begun.

    It is the prior's, times the ratio of the gaps that the run has shown to the prior's gaps there.
    Where the prior tells of none, it is the mean gap that the run has shown between its stages. The
    time before the first stage is no such gap: the application and its executors start then. Of the
    gap in which the driver is now, only the rest counts.

    :param gap_s: [B, S] from `gaps`; ``prior_s``: [B, S] the prior's driver time before each stage;
        ``left``: [B, S] the stage's tasks left.
    """
    begun = np.isfinite(view.began_s)
    coming = (left > 0) & ~begun
    weight = GAP_WEIGHT * prior_s.mean(axis=1)
    shown = np.where(begun, prior_s, 0.0).sum(axis=1) + weight
    ratio = (gap_s.sum(axis=1) + weight) / np.maximum(shown, 1e-9)
    between = begun[:, 1:].sum(axis=1)
    mean = gap_s[:, 1:].sum(axis=1) / (between + GAP_WEIGHT)
    told = (weight > 0)[:, None]
    each_s = np.where(coming, np.where(told, ratio[:, None] * prior_s, mean[:, None]), 0.0)
    # The driver's gap is the one before the next stage if none of the others has tasks left.
    idle = coming.any(axis=1) & ~(begun & (left > 0)).any(axis=1)
    ended = np.where(begun & np.isfinite(view.ended_s), view.ended_s, 0.0).max(axis=1, initial=0.0)
    following = np.take_along_axis(each_s, coming.argmax(axis=1)[:, None], 1)[:, 0]
    over = np.where(idle, np.clip(view.now - ended, 0.0, following), 0.0)
    return np.asarray(each_s.sum(axis=1) - over)
