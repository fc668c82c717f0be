"""The replay buffer: a ring of transitions between moments at which a policy decides."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kitwai.core.state import TARGETS


class Transitions(NamedTuple):
    """M transitions; ``action`` is target - 1, ``mask`` allows targets (in both states alike),
    the priors are `kitwai.core.policy.predicted_return` of the two states.
    """

    state: np.ndarray  # [M, F] float32
    action: np.ndarray  # [M] int32
    reward: np.ndarray  # [M] float32
    prior: np.ndarray  # [M, 10] float32
    next_state: np.ndarray  # [M, F] float32
    next_prior: np.ndarray  # [M, 10] float32
    done: np.ndarray  # [M] float32, 1 where the application ended
    mask: np.ndarray  # [M, 10] bool


class ReplayBuffer:
    """Keeps the newest ``capacity`` transitions; samples evenly, with replacement."""

    def __init__(self, capacity: int, features: int) -> None:
        self._data = Transitions(
            state=np.zeros((capacity, features), dtype=np.float32),
            action=np.zeros(capacity, dtype=np.int32),
            reward=np.zeros(capacity, dtype=np.float32),
            prior=np.zeros((capacity, TARGETS), dtype=np.float32),
            next_state=np.zeros((capacity, features), dtype=np.float32),
            next_prior=np.zeros((capacity, TARGETS), dtype=np.float32),
            done=np.zeros(capacity, dtype=np.float32),
            mask=np.zeros((capacity, TARGETS), dtype=np.bool_),
        )
        self._capacity = capacity
        self._next = 0
        self.size = 0

    def add(self, transitions: Transitions) -> None:
        """Append transitions, over the oldest ones when full."""
        count = len(transitions.reward)
        at = (self._next + np.arange(count)) % self._capacity
        for kept, new in zip(self._data, transitions, strict=True):
            kept[at] = new
        self._next = (self._next + count) % self._capacity
        self.size = min(self.size + count, self._capacity)

    def sample(self, count: int, rng: np.random.Generator) -> Transitions:
        """``count`` transitions."""
        at = rng.integers(self.size, size=count)
        return Transitions(*(kept[at] for kept in self._data))

    @property
    def states(self) -> np.ndarray:
        """[size, F] all states held."""
        return self._data.state[: self.size]
