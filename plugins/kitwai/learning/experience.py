"""Experience: many applications side by side in the simulator, under all constraints and regimes.

Some episodes are forked: every target that is allowed is tried from the same state in the same
realisation, and followed to the end. A difference between two outcomes is then caused by the target
alone. In ordinary episodes the differences between applications hide it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kitwai.core.forecast.arrays import Bools, Floats, Ints
from kitwai.core.forecast.prior import Prior
from kitwai.core.policy.policy import Policy
from kitwai.core.policy.state import TARGETS, State, build_state, encode
from kitwai.learning.network import share_of_allowed
from kitwai.sim.episodes import LIMIT_GRID_S, WORKER_GRID, Episodes, calm, disturbed, messy
from kitwai.sim.library import Library
from kitwai.sim.past_runs import prior_for, priors_of
from kitwai.sim.simulator import Realisation, Simulator, SimulatorConfig

GRID = tuple((n, t) for n in WORKER_GRID for t in LIMIT_GRID_S)
"""The 60 constraints of a training: pairs of N and T in seconds."""

PRICE_RANGE = (0.1, 300.0)
"""Lowest and highest price of a missed limit in training; prices are log-uniform."""

_GIVE_UP = 3.0
"""An episode that lasts longer than this many limits is cut: its rest teaches nothing."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Episodes to draw from, with the prior of each."""

    episodes: Episodes
    prior: Prior

    @classmethod
    def draw(
        cls,
        library: Library,
        size: int,
        rng: np.random.Generator,
        constraints: Sequence[tuple[int, float]] = GRID,
        profiles: Floats | None = None,
    ) -> Pool:
        """Draw ``size`` episodes: half of them messy, a quarter disturbed, a third of all
        uninformed.

        :param constraints: pairs of N and T in seconds, drawn evenly.
        :param profiles: [P] the probability of each profile; None: all alike.
        """
        pair = rng.integers(len(constraints), size=size)
        max_workers = np.array([n for n, _ in constraints], dtype=np.int64)[pair]
        limit_s = np.array([t for _, t in constraints], dtype=np.float64)[pair]
        kinds = messy(size, limit_s, rng), disturbed(size, limit_s, rng), calm(size, rng)
        kind = rng.choice(len(kinds), size=size, p=(0.5, 0.25, 0.25))
        mixed = {
            name: np.choose(kind, [getattr(one, name) for one in kinds])
            for name in Realisation.__slots__
        }
        episodes = Episodes(
            profile=rng.choice(len(library.profiles), size=size, p=profiles),
            max_workers=max_workers,
            limit_s=limit_s,
            miss=np.zeros(size),
            informed=rng.random(size) >= 1.0 / 3.0,
            realisation=Realisation(**mixed),
        )
        known = priors_of(library)
        warm_up_s = episodes.realisation.warm_up
        prior = prior_for(library, known, episodes.profile, episodes.informed, warm_up_s)
        return cls(episodes, prior)


@dataclass(frozen=True, slots=True)
class Labelled:
    """K states and the outcome of each target; arrays [K, ...].

    ``global_``, ``of_target``, ``mask`` as `kitwai.core.policy.state` gives them; ``z`` [K, 10] of
    the forecast; ``missed`` [K, 10]: 1 where the limit was missed, 0 where it was met or the
    target was not tried; ``weight`` [K, 10]: how much each target counts, 0 where it was not tried.
    """

    global_: np.ndarray
    of_target: np.ndarray
    mask: Bools
    z: np.ndarray
    missed: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, state: State, missed: Floats, weight: Floats) -> Labelled:
        """Label K states. ``missed``, ``weight``: [K, 10]."""
        global_, of_target = encode(state)
        return cls(
            global_.astype(np.float32),
            of_target.astype(np.float32),
            state.mask[:, :TARGETS],
            np.clip(state.z[:, :TARGETS], -20.0, 20.0).astype(np.float32),
            missed.astype(np.float32),
            weight.astype(np.float32),
        )

    @classmethod
    def join(cls, parts: Sequence[Labelled]) -> Labelled:
        """The states of all parts, one after another."""
        return cls(*(np.concatenate([getattr(p, n) for p in parts]) for n in cls.__slots__))

    def take(self, rows: Ints) -> Labelled:
        """The states of some rows."""
        return Labelled(*(getattr(self, name)[rows] for name in self.__slots__))

    def __len__(self) -> int:
        return len(self.mask)


class Collector:
    """Runs the pool's episodes with a policy, ``rows`` of them side by side. An ended episode is
    replaced by another.
    """

    def __init__(
        self,
        library: Library,
        pool: Pool,
        rows: int,
        rng: np.random.Generator,
        config: SimulatorConfig,
    ) -> None:
        self._pool, self._rng, self._config = pool, rng, config
        self._simulator = Simulator(library, rows, config)
        self._episode: Ints = np.zeros(rows, dtype=np.int64)
        self._price: Floats = np.ones(rows)
        self.steps = 0
        """Decision steps taken so far, forks included."""
        self._begin(np.arange(rows))

    def _begin(self, rows: Ints) -> None:
        rng, pool = self._rng, self._pool
        chosen = rng.integers(len(pool.episodes), size=len(rows))
        self._episode[rows] = chosen
        low, high = np.log(PRICE_RANGE)
        self._price[rows] = np.exp(rng.uniform(low, high, size=len(rows)))
        episodes = pool.episodes.take(chosen)
        # Not every live application begins on two workers.
        start = np.where(
            rng.random(len(rows)) < 0.7,
            np.minimum(self._config.start_workers, episodes.max_workers),
            rng.integers(1, episodes.max_workers + 1),
        )
        self._simulator.reset(
            episodes.profile,
            episodes.max_workers,
            episodes.limit_s,
            rows,
            episodes.realisation,
            start,
        )

    def walk(self, policy: Policy, epsilon: float) -> None:
        """One step of every row, a share ``epsilon`` of them with a random target."""
        state = self._state(self._simulator, self._episode, self._price)
        best = policy.values(state).best(state)
        random = self._rng.integers(1, np.minimum(state.max_workers, TARGETS) + 1)
        explores = self._rng.random(len(best)) < epsilon
        self._simulator.step(np.where(explores, random, best))
        self.steps += len(best)
        late = self._simulator.now > _GIVE_UP * self._simulator.limit_s
        ended = np.flatnonzero(self._simulator.done | late)
        if len(ended):
            self._begin(ended)

    def label(self, count: int, policy: Policy | None = None, hold: int = 1) -> Labelled:
        """Fork ``count`` of the rows that have a choice, and follow every target to the end.

        :param policy: goes on after a target was held for ``hold`` steps; None: the target is held
            to the end.
        """
        state = self._state(self._simulator, self._episode, self._price)
        open_ = np.flatnonzero(state.mask.sum(axis=1) > 1)
        rows = self._rng.choice(open_, size=min(count, len(open_)), replace=False)
        mask = state.mask[:, :TARGETS]
        which, target = np.nonzero(mask[rows])
        missed = np.zeros(mask.shape)
        missed[rows[which], target] = self._follow(rows[which], target + 1, policy, hold)
        return Labelled.of(state, missed, share_of_allowed(mask)).take(rows)

    def _follow(self, rows: Ints, targets: Ints, policy: Policy | None, hold: int) -> Floats:
        """Whether copies of ``rows`` miss the limit when they hold ``targets`` and then follow
        ``policy``: 1.0 or 0.0 for each.
        """
        fork = self._simulator.fork(rows)
        episode, price = self._episode[rows], self._price[rows]
        asked = targets.copy()
        step = 0
        quiet = False
        while not (quiet or fork.done.all()) and fork.now.max() < _GIVE_UP * fork.limit_s.max():
            running = np.flatnonzero(~fork.done)
            if policy is None:
                quiet = fork.undisturbed
            elif step >= hold:
                state = self._state(fork, episode, price, running)
                asked[running] = policy.values(state).best(state)
            fork.step(asked)
            step += 1
            self.steps += len(running)
        if not fork.done.all():
            # Nothing is left to decide, or the limit is long past.
            fork.step(asked, seconds=_GIVE_UP * float(fork.limit_s.max()))
        return (fork.finish_s > fork.limit_s).astype(np.float64)

    def _state(
        self, simulator: Simulator, episode: Ints, price: Floats, rows: Ints | None = None
    ) -> State:
        view = simulator.view()
        if rows is not None:
            view, episode, price = view.take(rows), episode[rows], price[rows]
        return build_state(
            view,
            self._pool.prior.take(episode),
            price,
            start_delay_s=self._config.start_delay_s,
            drain_s=self._config.drain_s,
        )
