"""A policy as a controller of simulated episodes, with the guardrails of a live cluster."""

from __future__ import annotations

import numpy as np

from kitwai.core.decide.guardrails import ClusterPast, guard_clusters
from kitwai.core.decide.targets import Terms, choose_targets
from kitwai.core.forecast.arrays import Floats, Ints, View
from kitwai.core.forecast.prior import Prior
from kitwai.core.policy.policy import Policy
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.settings import ClusterSettings
from kitwai.sim.episodes import Episodes
from kitwai.sim.library import Library
from kitwai.sim.past_runs import History, prior_for, priors_of
from kitwai.sim.simulator import SimulatorConfig


class PolicyController:
    """Decides every running episode as a live step would: policy, fallback, guardrails.

    Each episode is a cluster of its own with one application. The cluster's guardrails hold with
    the settings' defaults: cooldowns, and bounds. Nothing else scales it, so no operation of
    somebody else is ever under way.
    """

    _prior: Prior
    _miss: Floats
    _settings: ClusterSettings
    _last_out: Floats
    _last_in: Floats

    def __init__(
        self, policy: Policy, price: float | None = None, history: History | None = None
    ) -> None:
        """
        :param price: of a missed limit, instead of the one that the policy has measured.
        :param history: what the policy knows of past runs; None: the other profiles of the library.
        """
        self.policy = policy
        self._history = history
        self._price = price
        self._known: tuple[Library, Prior] | None = None

    def begin(self, library: Library, episodes: Episodes, config: SimulatorConfig) -> None:
        """Gather what is known of each episode's family, and forget what was done."""
        if self._known is None or self._known[0] is not library:
            self._known = library, priors_of(library, self._history)
        self._prior = prior_for(
            library,
            self._known[1],
            episodes.profile,
            episodes.informed,
            episodes.realisation.warm_up,
        )
        self._miss = episodes.miss
        self._settings = ClusterSettings(
            "simulated",
            Constraint(int(episodes.max_workers.max()), float(episodes.limit_s.max())),
            start_delay_s=config.start_delay_s,
            drain_s=config.drain_s,
        )
        self._last_out = np.full(len(episodes), -np.inf)
        self._last_in = np.full(len(episodes), -np.inf)

    def targets(self, view: View) -> Ints:
        """[B] the target of each episode that runs, the present count of the others."""
        targets = np.maximum(view.workers, 1)
        rows = np.flatnonzero(~view.over)
        if not len(rows):
            return targets
        every = len(rows) == len(targets)
        seen = view if every else view.take(rows)
        settings = self._settings
        choices = choose_targets(
            self.policy,
            seen,
            self._prior if every else self._prior.take(rows),
            self._miss[rows],
            Terms(settings.margin, settings.start_delay_s, settings.drain_s),
            price=self._price,
        )
        chosen, _ = guard_clusters(
            choices.target,
            present=seen.workers,
            past=self._past(rows, seen.now),
            max_workers=seen.max_workers,
            settings=settings,
            urgent=choices.late(seen, settings.margin),
        )
        self._last_out[rows] = np.where(chosen > seen.workers, seen.now, self._last_out[rows])
        self._last_in[rows] = np.where(chosen < seen.workers, seen.now, self._last_in[rows])
        targets[rows] = chosen
        return targets

    def _past(self, rows: Ints, now: Floats) -> ClusterPast:
        return ClusterPast(
            since_out_s=now - self._last_out[rows],
            since_in_s=now - self._last_in[rows],
            busy=np.zeros(len(rows), dtype=np.bool_),
            changes=np.full(len(rows), -np.inf),
        )
