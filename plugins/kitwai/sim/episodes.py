"""Episodes: which application runs under which constraint, in which realisation (DESIGN.md §6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kitwai.core.forecast.arrays import Floats, Ints
from kitwai.core.records.profile import ApplicationProfile
from kitwai.errors import InvalidInputError
from kitwai.sim.library import Library
from kitwai.sim.simulator import Realisation

WORKER_GRID: tuple[int, ...] = tuple(range(1, 11))
"""N of the constraints."""

LIMIT_GRID_S: tuple[float, ...] = tuple(60.0 * minutes for minutes in range(5, 11))
"""T of the constraints."""

REGIMES = ("recurring", "new", "disturbed")

DEFAULT_MISS = 0.01
"""How often a limit may be missed where a constraint does not say."""


@dataclass(frozen=True, slots=True)
class Episodes:
    """E applications under constraints; arrays [E].

    ``profile``: positions in the library; ``miss``: the stated miss probability; ``informed``:
    whether the run's inputs are announced and the family's other runs are known.
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
    """What the store knows of a profile's family: the runs with other inputs, or, where it names no
    inputs, those of other applications.
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
    realisation = disturbed(count, limit_s, rng) if regime == "disturbed" else calm(count, rng)
    return Episodes(
        profile=profile,
        max_workers=np.asarray(workers, dtype=np.int64)[worker],
        limit_s=limit_s,
        miss=np.full(count, miss),
        informed=np.full(count, regime != "new"),
        realisation=realisation,
    )


def calm(count: int, rng: np.random.Generator) -> Realisation:
    """Runs that take what their profile says."""
    zero = np.zeros(count)
    never = np.full(count, np.inf)
    return Realisation(_seeds(count, rng), np.ones(count), zero, zero, zero, never)


def disturbed(count: int, limit_s: Floats, rng: np.random.Generator) -> Realisation:
    """The hidden factors of DESIGN.md §6: work off by a lognormal factor (sigma 0.3), tasks by
    0.15, 2 % stragglers of 3 to 8 times, start-up by 0.3; in 30 % a worker is lost within T.
    """
    return Realisation(
        seed=_seeds(count, rng),
        factor=rng.lognormal(0.0, 0.3, size=count),
        noise=np.full(count, 0.15),
        stragglers=np.full(count, 0.02),
        start_noise=np.full(count, 0.3),
        death_s=np.where(rng.random(count) < 0.3, rng.uniform(0.0, limit_s), np.inf),
    )


def _seeds(count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(2**63, size=count, dtype=np.uint64)
