"""A policy as a controller of simulated episodes."""

from __future__ import annotations

import numpy as np

from kitwai.core.belief import Prior
from kitwai.core.policy import Policy, price_of
from kitwai.core.state import build_state
from kitwai.core.view import Floats, Ints, View
from kitwai.sim.episodes import Episodes
from kitwai.sim.library import Library
from kitwai.sim.records import History, prior_for, priors_of
from kitwai.sim.simulator import SimulatorConfig


class PolicyController:
    """Asks a policy for every episode that runs, at the price of its stated miss probability."""

    _prior: Prior
    _price: Floats
    _config: SimulatorConfig

    def __init__(
        self, policy: Policy, price: float | None = None, history: History | None = None
    ) -> None:
        """
        :param price: of a missed limit, instead of the one that the policy has measured.
        :param history: what the policy knows of past runs; None: the other profiles of the library.
        """
        self.policy = policy
        self._history = history
        self._fixed = price
        self._known: tuple[Library, Prior] | None = None

    def begin(self, library: Library, episodes: Episodes, config: SimulatorConfig) -> None:
        """Gather what is known of each episode's family."""
        if self._known is None or self._known[0] is not library:
            self._known = library, priors_of(library, self._history)
        self._prior = prior_for(library, self._known[1], episodes.profile, episodes.informed)
        self._config = config
        if self._fixed is not None:
            self._price = np.full(len(episodes), self._fixed)
        else:
            stated, inverse = np.unique(episodes.miss, return_inverse=True)
            prices = np.array([price_of(float(one), self.policy.prices) for one in stated])
            self._price = prices[inverse]

    def targets(self, view: View) -> Ints:
        """[B] the best target of each episode that runs, the present count of the others."""
        targets = np.maximum(view.workers, 1)
        rows = np.flatnonzero(~view.over)
        if len(rows) == 0:
            return targets
        state = build_state(
            view.take(rows),
            self._prior.take(rows),
            self._price[rows],
            start_delay_s=self._config.start_delay_s,
            drain_s=self._config.drain_s,
        )
        targets[rows] = self.policy.values(state).best(state)
        return targets
