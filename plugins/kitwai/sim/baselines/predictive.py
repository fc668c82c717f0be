"""Baselines that predict the finish time from the family's other runs, and keep a margin.

A margin m plans for m * T. Nothing is known of a family in regime ``new``, or without other runs.
Then all of these baselines act like `RemainingWork`. They ask for N until a task has finished,
which is the safe answer; the lookaheads give the cheap answer. Later they divide the work that
Spark shows to be left (tasks x mean time of finished tasks) by the time left.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from kitwai.core.forecast.arrays import Bools, Floats, Ints, View
from kitwai.sim.baselines.fits import fits_of, past_runs, size_of
from kitwai.sim.episodes import Episodes
from kitwai.sim.library import Library
from kitwai.sim.simulator import SimulatorConfig

MEASURED_COUNTS = (1, 2, 4, 6, 8, 10)
"""Worker counts at which `Interpolation` knows its past runs: the counts of C3O, and 1."""


def fewest_in_time(finish_s: Floats, time_s: Floats, most: Ints) -> Ints:
    """[B] fewest workers 1..N whose predicted finish lies within ``time_s``. If no count's finish
    does: the count with the earliest finish.

    :param finish_s: [B, W] seconds, index n for n workers, index 0 unused; ``most``: [B] N.
    """
    counts = np.arange(finish_s.shape[1])[None, :]
    allowed = (counts >= 1) & (counts <= most[:, None])
    finish = np.where(allowed, finish_s, np.inf)
    makes = finish <= time_s[:, None]
    fewest: Ints = np.where(makes.any(axis=1), makes.argmax(axis=1), finish.argmin(axis=1))
    return fewest


class RemainingWork:
    """Work left divided by time left (after Ellis and Enel, arXiv 2108.12211).

    The total work is fitted log-log over the family's other inputs at the present worker count.
    The part that is done follows from the finished tasks and the stages' shares in the nearest run.
    All is corrected by the finished tasks' time over their expected time. Workers =
    ceil(work left / (m * T - now) / cores). Workers leave only if the fewer workers could do a
    tenth more work.
    """

    hysteresis = 1.1
    prior_share = 0.05
    """The expected work counts like this share of a run that went as expected.

    It steadies the correction by the first few tasks."""

    def __init__(self, margin: float) -> None:
        self.margin = margin

    def begin(self, library: Library, episodes: Episodes, config: SimulatorConfig) -> None:
        """New episodes (`kitwai.sim.judging.Controller`)."""
        fits = fits_of(library, config)
        profile = episodes.profile
        self.known: Bools = episodes.informed & fits.known[profile]
        template = np.where(self.known, fits.nearest[profile], 0)
        self._work_s = fits.work_s[profile]
        first, ends = library.first_task[:, :-1], library.first_task[:, 1:]
        total = np.concatenate([[0.0], np.cumsum(library.task_s)])
        stage_s = np.where(library.tasks > 0, total[ends] - total[first], 0.0)[template]
        self._share = stage_s / stage_s.sum(axis=1, keepdims=True)
        self._planned = library.tasks[template]

    def targets(self, view: View) -> Ints:
        """[B] worker counts to ask for now."""
        left_s = self.margin * view.limit_s - view.now
        work_s = np.where(self.known, self._fitted(view), shown_work_s(view))
        slots = np.divide(work_s, left_s, out=np.full(len(work_s), np.inf), where=left_s > 0)
        grown = np.ceil(slots / view.cores - 1e-9)
        shrunk = np.minimum(np.ceil(self.hysteresis * slots / view.cores - 1e-9), view.workers)
        workers = np.where(grown > view.workers, grown, shrunk)
        return np.asarray(np.clip(workers, 1, view.max_workers), dtype=np.int64)

    def _fitted(self, view: View) -> Floats:
        counts = self._work_s.shape[1]
        tasks = np.where(view.tasks > 0, view.tasks, self._planned)
        finished = np.divide(view.complete, tasks, out=np.zeros(tasks.shape), where=tasks > 0)
        begun = np.divide(view.active, tasks, out=np.zeros(tasks.shape), where=tasks > 0)
        left = np.where(view.ended, 0.0, 1.0 - finished - 0.5 * begun)
        # Expected time of the finished tasks, each at the count at which it ran.
        by_count = view.cell_n[:, :, :counts] / np.maximum(tasks, 1)[:, :, None]
        expected = (by_count * self._share[:, :, None]).sum(axis=1) * self._work_s
        present = np.clip(view.serving, 1, view.max_workers)
        work_s = np.take_along_axis(self._work_s, present[:, None], 1)[:, 0]
        prior = self.prior_share * work_s
        run_s = view.run_s.sum(axis=1)
        factor = np.where(prior > 0, prior + run_s, 1.0) / np.where(
            prior > 0, prior + expected.sum(axis=1), 1.0
        )
        return np.asarray(work_s * factor * (left * self._share).sum(axis=1))


def shown_work_s(view: View) -> Floats:
    """[B] seconds of task time left of the stages that Spark shows.

    A stage's tasks are expected to take the mean time of its finished tasks, or of all finished
    tasks if the stage has none. Before any task has finished the result is inf.
    """
    done = view.complete.sum(axis=1)
    mean_s = np.where(done > 0, view.run_s.sum(axis=1) / np.maximum(done, 1), np.inf)
    own = np.divide(
        view.run_s,
        view.complete,
        out=np.tile(mean_s[:, None], (1, view.tasks.shape[1])),
        where=view.complete > 0,
    )
    left = np.where(view.ended, 0.0, view.tasks - view.complete - 0.5 * view.active)
    with np.errstate(invalid="ignore"):
        work = np.where(left > 0, left * own, 0.0)
    return np.asarray(work.sum(axis=1))


class _Model(RemainingWork):
    """Chooses a count before the run from predicted finish times, and holds it."""

    def begin(self, library: Library, episodes: Episodes, config: SimulatorConfig) -> None:
        """New episodes (`kitwai.sim.judging.Controller`)."""
        super().begin(library, episodes, config)
        fits = fits_of(library, config)
        finish_s = fits.finish_s
        predicted = np.full(finish_s.shape, np.inf)
        for row, runs in enumerate(past_runs(library)):
            if len(runs):
                runs = np.array([fits.nearest[row], *runs[runs != fits.nearest[row]]])
                predicted[row] = self.predict(library, row, runs, finish_s[runs])
        self._count = fewest_in_time(
            predicted[episodes.profile], self.margin * episodes.limit_s, episodes.max_workers
        )

    def targets(self, view: View) -> Ints:
        """[B] worker counts to ask for now."""
        return np.where(self.known, self._count, super().targets(view))

    def predict(self, library: Library, row: int, runs: Ints, finish_s: Floats) -> Floats:
        """[W] predicted finish times of profile ``row``, in seconds; index n for n workers.

        :param runs: [H] past runs of its family, the nearest first; ``finish_s``: [H, W] their
            finish times.
        """
        raise NotImplementedError


class Linear(_Model):
    """T = w0 + w1 n + w2 size, by least squares over the past runs, as in this project's paper."""

    def predict(self, library: Library, row: int, runs: Ints, finish_s: Floats) -> Floats:
        """As the class says."""
        sizes, counts, times = _samples(library, runs, finish_s)
        a = np.stack([np.ones_like(sizes), counts, sizes], axis=1)
        w = np.linalg.lstsq(a, times, rcond=None)[0]
        n = np.arange(float(finish_s.shape[1]))
        return np.asarray(w[0] + w[1] * n + w[2] * size_of(library.profiles[row]))


class Ernest(_Model):
    """T = t0 + t1 size / n + t2 log n + t3 n with no negative term.

    Fitted by NNLS on features scaled to 1 (Venkataraman et al., "Ernest", NSDI 2016).
    """

    def predict(self, library: Library, row: int, runs: Ints, finish_s: Floats) -> Floats:
        """As the class says."""
        sizes, counts, times = _samples(library, runs, finish_s)
        a = self._terms(sizes, counts)
        scale = np.maximum(np.abs(a).max(axis=0), 1e-12)
        weights, _ = nnls(a / scale, times)
        n = np.maximum(np.arange(float(finish_s.shape[1])), 1.0)
        own = np.full_like(n, size_of(library.profiles[row]))
        return np.asarray(self._terms(own, n) / scale @ weights)

    @staticmethod
    def _terms(size: Floats, n: Floats) -> Floats:
        return np.stack([np.ones_like(n), size / n, np.log(n), n], axis=1)


class Interpolation(_Model):
    """The nearest past run's finish times, linear in logs between the measured counts.

    Beyond these counts the time is flat. The margin stands for the published conformal margin.
    """

    def predict(self, library: Library, row: int, runs: Ints, finish_s: Floats) -> Floats:
        """As the class says."""
        times = finish_s[0]
        n = np.maximum(np.arange(len(times)), 1)
        at = np.array([count for count in MEASURED_COUNTS if count < len(times)])
        return np.asarray(np.exp(np.interp(np.log(n), np.log(at), np.log(times[at]))))


def _samples(library: Library, runs: Ints, finish_s: Floats) -> tuple[Floats, Floats, Floats]:
    """Size, worker count and finish time of every past run at every count, [H * counts] each."""
    counts = np.arange(1.0, finish_s.shape[1])
    sizes = np.array([size_of(library.profiles[run]) for run in runs])
    return (
        np.repeat(sizes, len(counts)),
        np.tile(counts, len(runs)),
        np.asarray(finish_s[:, 1:].ravel()),
    )
