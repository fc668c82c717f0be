"""A trial: the same simulated episodes for every policy that is to be compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kitwai.sim.episodes import grid_episodes
from kitwai.sim.judging import Judge, Outcome
from kitwai.sim.library import Library

WORKERS, LIMITS_S = (2, 4, 7, 10), (300.0, 420.0, 600.0)
"""N and T in seconds of a trial on held-out applications. They are fixed, so that versions trained
under another grid meet the same test.
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """Every application of a library under every constraint, once in each regime.

    ``regimes``: of `kitwai.sim.episodes`; ``workers``, ``limits_s``: N and T in seconds; ``seed``:
    of what the simulator leaves to chance.
    """

    library: Library
    regimes: Sequence[str]
    seed: int
    workers: Sequence[int] = WORKERS
    limits_s: Sequence[float] = LIMITS_S

    def judges(self) -> Iterator[tuple[str, Judge]]:
        """Each regime with the judge of its episodes, one after another: a judge is large."""
        for regime in self.regimes:
            episodes = grid_episodes(
                self.library,
                regime,
                seed=self.seed,
                workers=self.workers,
                limits_s=self.limits_s,
            )
            yield regime, Judge(self.library, episodes)


def rows(judge: Judge, outcomes: Mapping[str, Outcome]) -> dict[str, dict[str, Any]]:
    """The row of the metrics table (`kitwai.sim.judging.Judgement`) of each outcome, by name."""
    return {name: dataclasses.asdict(judge.judge(outcome)) for name, outcome in outcomes.items()}
