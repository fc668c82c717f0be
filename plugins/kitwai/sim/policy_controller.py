"""A policy as a controller of simulated episodes."""

from __future__ import annotations

import numpy as np

from kitwai.core.forecast.arrays import Bools, Floats, Ints, View
from kitwai.core.forecast.prior import Prior
from kitwai.core.policy.policy import AnalyticPolicy, Policy, price_of
from kitwai.core.policy.state import build_state
from kitwai.sim.episodes import Episodes
from kitwai.sim.library import Library
from kitwai.sim.past_runs import History, prior_for, priors_of
from kitwai.sim.simulator import SimulatorConfig

_FORMULA = AnalyticPolicy()


class PolicyController:
    """Asks a policy for every episode that runs, at the price of its stated miss probability. Like
    a live decision it asks the formula instead where more workers are allowed than the policy
    knows, or where a number of it is not finite.
    """

    _prior: Prior
    _price: Floats
    _formula_price: Floats
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
        self._price = self._prices(self.policy, episodes.miss)
        self._formula_price = self._prices(_FORMULA, episodes.miss)
        self._config = config

    def targets(self, view: View) -> Ints:
        """[B] the best target of each episode that runs, the present count of the others."""
        targets = np.maximum(view.workers, 1)
        rows = np.flatnonzero(~view.over)
        most = self.policy.max_targets
        known = rows if most is None else rows[view.max_workers[rows] <= most]
        best, finite = self._asked(self.policy, self._price, view, known)
        targets[known] = best
        rest = np.setdiff1d(rows, known[finite])
        targets[rest], _ = self._asked(_FORMULA, self._formula_price, view, rest)
        return targets

    def _asked(self, policy: Policy, price: Floats, view: View, rows: Ints) -> tuple[Ints, Bools]:
        """The best target of each of ``rows``, and whether all numbers behind it are finite."""
        if len(rows) == 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)
        state = build_state(
            view.take(rows),
            self._prior.take(rows),
            price[rows],
            start_delay_s=self._config.start_delay_s,
            drain_s=self._config.drain_s,
        )
        values = policy.values(state)
        finite: Bools = np.asarray(np.isfinite(values.q).all(axis=1))
        return values.best(state), finite

    def _prices(self, policy: Policy, miss: Floats) -> Floats:
        """[B] the policy's price of a missed limit in each episode."""
        if self._fixed is not None:
            return np.full(len(miss), self._fixed)
        stated, inverse = np.unique(miss, return_inverse=True)
        return np.array([price_of(float(one), policy.prices) for one in stated])[inverse]
