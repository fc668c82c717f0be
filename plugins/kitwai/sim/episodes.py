"""Episodes: which application runs under which constraint, in which realisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kitwai.core.forecast.arrays import Bools, Floats, Ints
from kitwai.core.records.profile import ApplicationProfile
from kitwai.errors import InvalidInputError
from kitwai.sim.library import Library
from kitwai.sim.simulator import Realisation

WORKER_GRID: tuple[int, ...] = tuple(range(1, 11))
"""The N, most workers, of the constraints."""

LIMIT_GRID_S: tuple[float, ...] = tuple(60.0 * minutes for minutes in range(5, 11))
"""The T, limits in seconds, of the constraints."""

CALM_REGIMES = ("recurring", "new", "disturbed")
"""Recurring: calm runs of known families. New: calm runs of which nothing is known. Disturbed: runs
of known families with hidden factors, stragglers and lost workers."""

MESSY_REGIMES = ("messy", "messy-new")
"""Runs as real clusters have them (`messy`): of known families, and of which nothing is known."""

REGIMES = (*CALM_REGIMES, *MESSY_REGIMES)

DEFAULT_MISS = 0.01
"""The miss probability of a constraint that does not state one."""


@dataclass(frozen=True, slots=True)
class Episodes:
    """E applications under constraints; arrays [E].

    ``profile``: positions in the library; ``max_workers``, ``limit_s``, ``miss``: the constraint,
    ``miss`` being its miss probability; ``informed``: whether the run's inputs are announced and
    the family's other runs are known.
    """

    profile: Ints
    max_workers: Ints
    limit_s: Floats
    miss: Floats
    informed: np.ndarray
    realisation: Realisation

    def __len__(self) -> int:
        return len(self.profile)

    def take(self, rows: Ints) -> Episodes:
        """The episodes of some rows."""
        return Episodes(
            self.profile[rows],
            self.max_workers[rows],
            self.limit_s[rows],
            self.miss[rows],
            self.informed[rows],
            self.realisation.take(rows),
        )


def history_of(
    profile: ApplicationProfile, profiles: Sequence[ApplicationProfile]
) -> tuple[ApplicationProfile, ...]:
    """The past runs of a profile's family: the runs with other inputs.

    For a profile without inputs these are the runs of the family's other applications.
    """
    return tuple(
        other
        for other in profiles
        if other.family == profile.family
        and (
            dict(other.inputs) != dict(profile.inputs)
            if profile.inputs
            else other.app != profile.app
        )
    )


def grid_episodes(
    library: Library,
    regime: str,
    *,
    seed: int,
    workers: Sequence[int] = WORKER_GRID,
    limits_s: Sequence[float] = LIMIT_GRID_S,
    miss: float = DEFAULT_MISS,
) -> Episodes:
    """Every profile of ``library`` under every constraint of the grid, once.

    :raises InvalidInputError: the regime is none of `REGIMES`.
    """
    if regime not in REGIMES:
        raise InvalidInputError(
            f"{regime!r} is no regime: name some of {', '.join(REGIMES)}, separated by commas."
        )
    shape = (len(library.profiles), len(workers), len(limits_s))
    profile, worker, limit = (index.ravel() for index in np.indices(shape))
    count = len(profile)
    limit_s = np.asarray(limits_s, dtype=np.float64)[limit]
    rng = np.random.default_rng(seed)
    realisation = realisations(regime, limit_s, rng)
    return Episodes(
        profile=profile,
        max_workers=np.asarray(workers, dtype=np.int64)[worker],
        limit_s=limit_s,
        miss=np.full(count, miss),
        informed=np.full(count, knows_family(regime)),
        realisation=realisation,
    )


def knows_family(regime: str) -> bool:
    """Whether past runs of the applications' families are known in a regime."""
    return regime not in ("new", "messy-new")


def realisations(regime: str, limit_s: Floats, rng: np.random.Generator) -> Realisation:
    """What chance does to the episodes of a regime.

    :param limit_s: [E] T of the episodes.
    """
    if regime in MESSY_REGIMES:
        return messy(len(limit_s), limit_s, rng)
    if regime == "disturbed":
        return disturbed(len(limit_s), limit_s, rng)
    return calm(len(limit_s), rng)


def calm(count: int, rng: np.random.Generator) -> Realisation:
    """Realisations in which every task takes the time of its profile."""
    return Realisation.calm(count, _seeds(count, rng))


def disturbed(count: int, limit_s: Floats, rng: np.random.Generator) -> Realisation:
    """Realisations with hidden factors.

    All work is off by a lognormal factor (sigma 0.3), each task by another (0.15), each start-up
    by another (0.3). Of the tasks, 2 % are stragglers of 3 to 8 times. In 30 % of the runs a
    worker is lost within T.

    :param limit_s: [E] T of the episodes.
    """
    return replace(
        Realisation.calm(count, _seeds(count, rng)),
        factor=rng.lognormal(0.0, 0.3, size=count),
        noise=np.full(count, 0.15),
        stragglers=np.full(count, 0.02),
        start_noise=np.full(count, 0.3),
        death_s=np.where(rng.random(count) < 0.3, rng.uniform(0.0, limit_s), np.inf),
    )


def messy(count: int, limit_s: Floats, rng: np.random.Generator) -> Realisation:
    """Realisations with all that real clusters do to a run, each drawn over a broad range.

    Slots warm up, workers that start slow the others, starts vary, tasks straggle, machines are
    slow for a while, drivers pause, data differ, and some workers are lost.

    :param limit_s: [E] T of the episodes.
    """

    def often(share: float) -> Bools:
        return np.asarray(rng.random(count) < share)

    def between(low: float, high: float) -> Floats:
        return rng.uniform(low, high, size=count)

    warm_up = np.clip(rng.lognormal(np.log(3.0), 0.7, size=count), 0.3, 12.0)
    return Realisation(
        seed=_seeds(count, rng),
        factor=rng.lognormal(0.0, np.where(often(0.5), 0.1, 0.3)),
        noise=between(0.03, 0.3),
        stragglers=np.where(often(0.6), between(0.0, 0.05), 0.0),
        worst=between(4.0, 10.0),
        start_factor=np.clip(rng.lognormal(0.0, 0.4, size=count), 0.4, 3.0),
        start_noise=between(0.1, 0.5),
        warm_up=np.where(often(0.85), warm_up, 0.0),
        warm_up_noise=between(0.1, 0.5),
        contention=np.where(often(0.5), between(1.0, 3.0), 1.0),
        slow_share=np.where(often(0.5), between(0.05, 0.3), 0.0),
        slow_factor=between(1.2, 2.5),
        gap_noise=between(0.0, 0.8),
        gap_more_s=np.where(often(0.5), between(0.1, 2.0), 0.0),
        death_s=np.where(often(0.1), rng.uniform(0.0, limit_s), np.inf),
    )


def _seeds(count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(2**63, size=count, dtype=np.uint64)
