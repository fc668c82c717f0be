"""A day's arrivals: which applications reach a shared cluster, when, and under which limits.

Applications arrive as a Poisson process. An application that arrives between two steps begins at
the next step. The same seed gives the same day for every policy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kitwai.core.forecast.arrays import Bools, Floats, Ints
from kitwai.errors import InvalidInputError
from kitwai.sim.episodes import (
    DEFAULT_MISS,
    LIMIT_GRID_S,
    REGIMES,
    Episodes,
    knows_family,
    realisations,
)
from kitwai.sim.judging import Judge
from kitwai.sim.library import Library
from kitwai.sim.simulator import Realisation, SimulatorConfig


@dataclass(frozen=True, slots=True)
class DayConfig:
    """A shared cluster and its load.

    ``cluster_workers``: the most workers of the cluster; ``min_workers``: the fewest workers;
    ``keep_idle_s``: seconds that an idle worker is kept; ``hours``: length of the day;
    ``arrivals_per_hour``: mean number of applications. One application uses at most the
    ``max_workers`` of the library.

    :raises InvalidInputError: a number is out of range.
    """

    cluster_workers: int = 20
    min_workers: int = 2
    keep_idle_s: float = 30.0
    hours: float = 24.0
    arrivals_per_hour: float = 16.0

    def __post_init__(self) -> None:
        if not 0 <= self.min_workers <= self.cluster_workers or self.cluster_workers < 1:
            raise InvalidInputError(
                f"A cluster of {self.min_workers} to {self.cluster_workers} workers cannot be: the "
                "most must be at least 1, and the least lie between 0 and it."
            )
        if not 0 < self.hours <= 240:
            raise InvalidInputError(
                f"A day has up to 240 hours, and more than none, not {self.hours}."
            )
        if not 0 < self.arrivals_per_hour <= 1000:
            raise InvalidInputError(
                f"arrivals_per_hour must lie in (0, 1000], not be {self.arrivals_per_hour}."
            )
        if not self.keep_idle_s >= 0:
            raise InvalidInputError(f"keep_idle_s must not be negative, but is {self.keep_idle_s}.")


@dataclass(frozen=True, slots=True)
class Day:
    """E applications in the order of their arrival; the same for every policy.

    ``arrival_s`` [E]: seconds since the day's start, whole steps; ``feasible`` [E]: whether some
    constant worker count meets the limit if the application runs alone.
    """

    library: Library
    config: DayConfig
    simulator: SimulatorConfig
    arrival_s: Floats
    episodes: Episodes
    feasible: Bools

    def __len__(self) -> int:
        return len(self.arrival_s)


def draw_day(
    library: Library,
    seed: int,
    config: DayConfig | None = None,
    *,
    regime: str = "recurring",
    simulator: SimulatorConfig | None = None,
) -> Day:
    """Draw a day's applications and their arrivals.

    Each application and its limit are drawn from the pairs of a profile and a limit of
    `LIMIT_GRID_S`. Only pairs count in which a constant worker count meets the limit in a calm run
    alone. In the disturbed regime some of the drawn applications are infeasible nevertheless.

    :raises InvalidInputError: there is no such regime, or no application can meet any limit.
    """
    config, simulator = config or DayConfig(), simulator or SimulatorConfig()
    if regime not in REGIMES:
        raise InvalidInputError(f"{regime!r} is no regime: name one of {', '.join(REGIMES)}.")
    rng = np.random.default_rng(seed)
    count = max(1, int(rng.poisson(config.hours * config.arrivals_per_hour)))
    last_s = config.hours * 3600.0 - simulator.step_s
    arrival_s = np.sort(rng.uniform(0.0, last_s, size=count))
    arrival_s = np.ceil(arrival_s / simulator.step_s) * simulator.step_s

    limits_s = np.array(LIMIT_GRID_S)
    profile, limit = (index.ravel() for index in np.indices((len(library.profiles), len(limits_s))))
    pairs = _episodes(library, profile, limits_s[limit], Realisation.calm(len(profile)), regime)
    possible = np.flatnonzero(Judge(library, pairs, simulator).feasible)
    if not len(possible):
        raise InvalidInputError(
            f"No application can meet a limit of {limits_s.max():.0f} s or less alone on "
            f"{library.max_workers} workers: such a day would tell nothing."
        )
    drawn = possible[rng.integers(len(possible), size=count)]
    limit_s = pairs.limit_s[drawn]
    chance = realisations(regime, limit_s, rng)
    episodes = _episodes(library, pairs.profile[drawn], limit_s, chance, regime)
    feasible = Judge(library, episodes, simulator).feasible
    return Day(library, config, simulator, arrival_s, episodes, feasible)


def _episodes(
    library: Library, profile: Ints, limit_s: Floats, chance: Realisation, regime: str
) -> Episodes:
    count = len(profile)
    return Episodes(
        profile=profile,
        max_workers=np.full(count, library.max_workers),
        limit_s=limit_s,
        miss=np.full(count, DEFAULT_MISS),
        informed=np.full(count, knows_family(regime)),
        realisation=chance,
    )
