"""Fits to a family's other runs: what the model-based baselines know of a run before it starts.

Everything here comes from `kitwai.sim.episodes.history_of`. Of the run itself only its announced
inputs and the cores of its workers are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np

from kitwai.core.forecast.arrays import Bools, Floats, Ints
from kitwai.core.records.profile import ApplicationProfile
from kitwai.sim.episodes import history_of
from kitwai.sim.library import NONE, Library
from kitwai.sim.simulator import Simulator, SimulatorConfig

_RIDGE = 0.01
"""Penalty on the slopes of the log-log fit, in units of the number of runs.

Inputs that vary together, as megabytes and rows, would take opposite slopes without it."""


@dataclass(frozen=True, slots=True)
class Fits:
    """P profiles, W = most workers + 1 (index 0 repeats index 1).

    ======== ======== =====================================================================
    field    shape    meaning
    ======== ======== =====================================================================
    known    [P]      whether the family has runs with other inputs
    nearest  [P]      position of the run with the nearest inputs, or NONE
    work_s   [P, W]   expected total task time at n workers, 0 where nothing is known
    finish_s [P, W]   simulated finish time at n workers; to be read of *past* runs alone
    ======== ======== =====================================================================
    """

    known: Bools
    nearest: Ints
    work_s: Floats
    finish_s: Floats


_FITS: WeakKeyDictionary[Library, dict[SimulatorConfig, Fits]] = WeakKeyDictionary()


def fits_of(library: Library, config: SimulatorConfig) -> Fits:
    """The fits of every profile, made once for a library."""
    made = _FITS.setdefault(library, {})
    if config not in made:
        made[config] = _fit(library, config)
    return made[config]


def size_of(profile: ApplicationProfile) -> float:
    """The run's size: its first announced input, or 1 if it announces none."""
    return next(iter(profile.inputs.values()), 1.0)


def past_runs(library: Library) -> list[Ints]:
    """For each profile, the positions of its past runs (`kitwai.sim.episodes.history_of`)."""
    position = {id(profile): at for at, profile in enumerate(library.profiles)}
    return [
        np.array([position[id(run)] for run in history_of(profile, library.profiles)], np.int64)
        for profile in library.profiles
    ]


def true_work_s(library: Library) -> Floats:
    """[P, W] total task time of the profiles themselves at n workers."""
    slots = np.maximum(np.arange(library.max_workers + 1), 1)[None, :] * library.cores[:, None]
    slots = np.minimum(slots, library.slowdown.shape[1] - 1)
    return np.asarray(library.work_s[:, None] * np.take_along_axis(library.slowdown, slots, 1))


def _fit(library: Library, config: SimulatorConfig) -> Fits:
    count = len(library.profiles)
    work = true_work_s(library)
    nearest = np.full(count, NONE)
    expected = np.zeros_like(work)
    for row, runs in enumerate(past_runs(library)):
        if not len(runs):
            continue
        past = [library.profiles[run].inputs for run in runs]
        x, x_new = _features(past, library.profiles[row].inputs)
        expected[row] = np.exp(_regress(x, np.log(work[runs]), x_new))
        # A run with the usual number of stages predicts the stages best.
        stages = library.stages[runs]
        usual = stages == Counter(stages.tolist()).most_common(1)[0][0]
        distance = ((x - x_new) ** 2).sum(axis=1)
        nearest[row] = runs[np.where(usual, distance, np.inf).argmin()]
    return Fits(nearest != NONE, nearest, expected, _finish_s(library, config))


def _finish_s(library: Library, config: SimulatorConfig) -> Floats:
    """[P, W] finish times in seconds on n workers that are there from the start."""
    profiles, counts = len(library.profiles), library.max_workers
    rows = profiles * counts
    workers = np.tile(np.arange(1, counts + 1), profiles)
    simulator = Simulator(library, rows, replace(config, step_s=1e9))
    simulator.reset(
        np.repeat(np.arange(profiles), counts), workers, np.ones(rows), start_workers=workers
    )
    simulator.step(workers)
    finish = simulator.finish_s.reshape(profiles, counts)
    return np.concatenate([finish[:, :1], finish], axis=1)


def _features(
    past: Sequence[Mapping[str, float]], new: Mapping[str, float]
) -> tuple[Floats, Floats]:
    """Inputs that vary, as standardised columns [H, F] and [F]; logs where all are positive."""
    columns, announced = [], []
    for name in new:
        if not all(name in inputs for inputs in past):
            continue
        values = np.array([*(inputs[name] for inputs in past), new[name]], dtype=np.float64)
        if (values > 0).all():
            values = np.log(values)
        centre, spread = values[:-1].mean(), values[:-1].std()
        if spread < 1e-9:
            continue
        columns.append((values[:-1] - centre) / spread)
        announced.append((values[-1] - centre) / spread)
    return np.array(columns).reshape(len(columns), len(past)).T, np.array(announced)


def _regress(x: Floats, y: Floats, x_new: Floats) -> Floats:
    """[W] ridge regression at ``x_new``, from ``x`` [H, F] standardised and ``y`` [H, W]."""
    centre = y.mean(axis=0)
    gram = x.T @ x + _RIDGE * len(x) * np.eye(x.shape[1])
    return np.asarray(centre + x_new @ np.linalg.solve(gram, x.T @ (y - centre)))
