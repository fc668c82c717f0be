"""Collecting experience: many simulated episodes side by side, each restarted when it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kitwai.core.policy import predicted_return
from kitwai.core.state import FEATURE_NAMES, TARGETS, State, encode
from kitwai.learning.replay import Transitions
from kitwai.sim.episodes import draw_episodes
from kitwai.sim.library import Ints, Library
from kitwai.sim.simulator import Simulator

PATIENCE = 3.0
"""Episodes are cut (not ended) after this many limits: what is left is late in any case."""

Act = Callable[[State], Ints]
"""[B] targets of a state."""


class _Seen(NamedTuple):
    """What the network gets of B states."""

    features: np.ndarray
    prior: np.ndarray
    mask: np.ndarray


class Collector:
    """Steps ``envs`` episodes and turns what happens into transitions.

    While nothing is known the simulator holds its workers, as the live decision does; rewards of
    such steps belong to the decision before. (Rewards are not discounted.)
    """

    def __init__(self, library: Library, envs: int, rng: np.random.Generator) -> None:
        self._library, self._rng = library, rng
        self._simulator = Simulator(library, envs)
        self._open = np.zeros(envs, dtype=np.bool_)
        self._state = np.zeros((envs, len(FEATURE_NAMES)), dtype=np.float32)
        self._prior = np.zeros((envs, TARGETS), dtype=np.float32)
        self._action = np.zeros(envs, dtype=np.int32)
        self._reward = np.zeros(envs)
        self._restart(np.arange(envs))

    def step(self, act: Act) -> Transitions:
        """One step of every episode; the transitions completed by it."""
        simulator = self._simulator
        state, known = simulator.state()
        seen = _Seen(
            features=encode(state).astype(np.float32),
            prior=predicted_return(state).astype(np.float32),
            mask=state.mask,
        )
        reached = self._open & known
        result = self._close(reached, seen, done=False)
        cut = known & (simulator.now > PATIENCE * simulator.limit_s)
        if cut.any():
            self._restart(np.flatnonzero(cut))
            known = known & ~cut
        targets = np.where(known, act(state), np.maximum(simulator.workers, 1)).astype(np.int64)
        self._state[known] = seen.features[known]
        self._prior[known] = seen.prior[known]
        self._action[known] = targets[known] - 1
        self._open |= known
        step = simulator.step(targets)
        self._reward += np.where(self._open, step.reward, 0.0)
        ended = self._close(self._open & step.done, seen, done=True)
        if step.done.any():
            self._restart(np.flatnonzero(step.done))
        return Transitions(*(np.concatenate(both) for both in zip(result, ended, strict=True)))

    def _close(self, rows: np.ndarray, seen: _Seen, *, done: bool) -> Transitions:
        """The open transitions of ``rows`` [B] (bool); after an end the next state is not used."""
        transitions = Transitions(
            state=self._state[rows],
            action=self._action[rows],
            reward=self._reward[rows].astype(np.float32),
            prior=self._prior[rows],
            next_state=seen.features[rows],
            next_prior=seen.prior[rows],
            done=np.full(int(rows.sum()), float(done), dtype=np.float32),
            mask=seen.mask[rows],
        )
        self._open[rows] = False
        self._reward[rows] = 0.0
        return transitions

    def _restart(self, rows: Ints) -> None:
        episodes = draw_episodes(self._library, len(rows), self._rng)
        self._simulator.reset(episodes.profile, episodes.max_workers, episodes.limit_s, rows)
        self._open[rows] = False
        self._reward[rows] = 0.0
