"""Episodes: which application runs under which constraint, and how a policy is asked in one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kitwai.core.estimate import Floats
from kitwai.core.policy import Policy
from kitwai.core.state import State
from kitwai.sim.library import Ints, Library
from kitwai.sim.simulator import Bools

WORKER_GRID: tuple[int, ...] = tuple(range(1, 11))
"""N of the constraints."""

LIMIT_GRID_S: tuple[float, ...] = tuple(
    60.0 * minutes for minutes in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9, 10)
)
"""T of the constraints: DESIGN.md's 5..10 min, and shorter ones."""

_LOADS = (0.02, 1.2)


@dataclass(frozen=True, slots=True)
class Episodes:
    """E applications under constraints; arrays [E]. ``profile``: positions in the library."""

    profile: Ints
    max_workers: Ints
    limit_s: Floats

    def __len__(self) -> int:
        return len(self.profile)

    def take(self, rows: Ints) -> Episodes:
        """The episodes of some rows."""
        return Episodes(self.profile[rows], self.max_workers[rows], self.limit_s[rows])


def draw_episodes(library: Library, count: int, rng: np.random.Generator) -> Episodes:
    """Profiles and constraints drawn evenly, among pairs that ask a question.

    Pairs are kept while the work fills 2 % to 120 % of the N x T worker-seconds: below that one
    worker is enough by far, above nothing is. Profiles for which no pair of the grid does are left
    as drawn after a hundred attempts.
    """
    drawn = Episodes(
        profile=np.zeros(count, dtype=np.int64),
        max_workers=np.zeros(count, dtype=np.int64),
        limit_s=np.zeros(count),
    )
    rows = np.arange(count)
    for _ in range(100):
        drawn.profile[rows] = rng.integers(len(library.profiles), size=rows.size)
        drawn.max_workers[rows] = rng.choice(WORKER_GRID, size=rows.size)
        drawn.limit_s[rows] = rng.choice(LIMIT_GRID_S, size=rows.size)
        capacity = library.cores[drawn.profile] * drawn.max_workers * drawn.limit_s
        load = library.work_s[drawn.profile] / capacity
        rows = np.flatnonzero((load < _LOADS[0]) | (load > _LOADS[1]))
        if not rows.size:
            break
    return drawn


def greedy_targets(policy: Policy, state: State, known: Bools) -> Ints:
    """[B] the allowed target of the highest Q-value; the present count where nothing is known."""
    q_values = np.where(state.mask, policy.q_values(state), -np.inf)
    return np.where(known, q_values.argmax(axis=1) + 1, np.maximum(state.workers, 1)).astype(
        np.int64
    )
