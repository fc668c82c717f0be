"""The update rule of the original system (2019), to be compared with: one sample at a time.

For every transition the network is asked for the Q-values of both states, one row a call, and then
fitted to that one row, by `keras.Model.predict` and `keras.Model.fit`. Its other faults (rewards
that ignore the action, terminal steps that are none) are left out: it learns in the environment
that the others learn in, with its rewards and ends.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

if TYPE_CHECKING:
    import keras

_HIDDEN = 24
_LEARNING_RATE = 1e-3
_DISCOUNT = 0.99
_EPSILON = (1.0, 0.05, 0.995)
"""First, least, and factor after every episode."""


@dataclass(frozen=True, slots=True)
class Original:
    """The network after ``transitions`` updates in ``seconds``."""

    model: keras.Model
    transitions: int
    seconds: float

    def best(self, observations: np.ndarray) -> np.ndarray:
        """[B] actions with the highest Q-value for observations [B, F]."""
        best: np.ndarray = np.asarray(self.model(observations)).argmax(axis=1)
        return best


def train_original(env: gymnasium.Env[np.ndarray, Any], seconds: float, seed: int = 0) -> Original:
    """Learn in ``env`` for ``seconds``, the construction of the network not counted."""
    import keras

    keras.utils.set_random_seed(seed)
    (features,) = env.observation_space.shape or ()
    actions = int(env.action_space.n)  # type: ignore[attr-defined]
    model = keras.Sequential(
        [
            keras.Input((features,)),
            keras.layers.Dense(_HIDDEN, activation="relu"),
            keras.layers.Dense(_HIDDEN, activation="relu"),
            keras.layers.Dense(actions),
        ]
    )
    model.compile(loss="mse", optimizer=keras.optimizers.Adam(_LEARNING_RATE))
    rng = np.random.default_rng(seed)
    epsilon, least, factor = _EPSILON
    state = env.reset(seed=seed)[0][None]
    # The first calls compile: they are no part of the rule.
    model.fit(state, model.predict(state, verbose=0), verbose=0)
    transitions, began = 0, time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        values = model.predict(state, verbose=0)
        explores = rng.random() < epsilon
        action = int(rng.integers(actions)) if explores else int(values[0].argmax())
        after, reward, terminated, truncated, _ = env.step(action)
        following = model.predict(after[None], verbose=0)[0].max()
        values[0, action] = float(reward) + _DISCOUNT * float(following) * (not terminated)
        model.fit(state, values, verbose=0)
        transitions += 1
        if terminated or truncated:
            epsilon = max(least, factor * epsilon)
            after = env.reset()[0]
        state = after[None]
    return Original(model, transitions, elapsed)
