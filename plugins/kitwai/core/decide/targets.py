"""The target of each of B applications: policy, fallback, guardrails.

Everything that decides asks `choose_targets`: the live step, a shadow, a replay, simulated
episodes, the selection of a network, and the gate. So each of them judges the same Kitwai.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kitwai.core.decide.guardrails import Move, guard_applications
from kitwai.core.forecast.arrays import Bools, Floats, Ints, View
from kitwai.core.forecast.prior import Prior
from kitwai.core.policy.policy import ForecastPolicy, Policy, price_of
from kitwai.core.policy.state import State, build_state

_FORECAST = ForecastPolicy()


@dataclass(frozen=True, slots=True)
class Terms:
    """What choices depend on besides the applications: ``margin`` is the share of the limit that a
    predicted finish may use; ``start_delay_s`` and ``drain_s`` are the cluster's.
    """

    margin: float
    start_delay_s: float
    drain_s: float


@dataclass(frozen=True, slots=True)
class Choices:
    """What was chosen for B applications, over W targets.

    ``target`` [B]: after the guardrails, ``recommended`` [B]: before; ``moves``: what the
    guardrails changed. ``known`` [B]: Spark shows work that is left; without it the present count
    is held. ``told`` [B]: a finished task or a past run tells of the work; without it the
    guardrails, which follow the forecast, are not asked. ``network`` [B]: a trained network
    decided, else the forecast. ``replaced`` [B]: the forecast stood in for a policy that does not
    know so many workers, or gave a number that is not finite. ``q``, ``miss``, ``finish_s`` [B,
    W]: as `kitwai.core.policy.policy.Values` and `State` have them, NaN beyond what the policy
    knows.
    """

    target: Ints
    recommended: Ints
    moves: tuple[Move, ...]
    known: Bools
    told: Bools
    network: Bools
    replaced: Bools
    q: Floats
    miss: Floats
    finish_s: Floats

    def late(self, view: View, margin: float) -> Bools:
        """[B] whether the application is predicted to miss its limit at its present count."""
        here = np.clip(view.workers, 1, np.minimum(view.max_workers, self.finish_s.shape[1]))
        finish_s = self.finish_s[np.arange(len(here)), here - 1]
        return self.known & self.told & (finish_s > margin * view.limit_s)


def choose_targets(
    policy: Policy,
    view: View,
    prior: Prior,
    miss: Floats,
    terms: Terms,
    *,
    price: float | None = None,
) -> Choices:
    """Choose the target of every application of ``view``.

    :param prior: [B] what past runs tell of each application.
    :param miss: [B] stated miss probability.
    :param price: of a missed limit, instead of the policy's own for ``miss``.
    """
    size, most = len(view.now), policy.max_targets
    able = np.ones(size, dtype=np.bool_) if most is None else view.max_workers <= most
    answer = _Answer.empty(size, prior.level.shape[1])

    def ask(asked: Policy, rows: Ints) -> None:
        # Nothing is left for the forecast in most steps.
        if len(rows):
            answer.ask(asked, view, prior, _prices(asked, miss, price), terms, rows)

    ask(policy, np.flatnonzero(able))
    rest = ~(able & answer.finite)
    ask(_FORECAST, np.flatnonzero(rest))
    present = np.clip(view.workers, 1, view.max_workers)
    recommended = np.where(answer.known, answer.best, present)
    guarded, moves = guard_applications(
        recommended,
        finish_s=answer.finish_s,
        present=view.workers,
        max_workers=view.max_workers,
        limit_s=view.limit_s,
        margin=terms.margin,
    )
    heeded = answer.known & answer.told
    return Choices(
        target=np.where(heeded, guarded, recommended),
        recommended=recommended,
        moves=moves,
        known=answer.known,
        told=answer.told,
        network=answer.network,
        replaced=rest,
        q=answer.q,
        miss=answer.miss,
        finish_s=answer.finish_s,
    )


def _prices(policy: Policy, miss: Floats, price: float | None) -> Floats:
    """[B] the policy's price of a missed limit."""
    if price is not None:
        return np.full(len(miss), price)
    stated, inverse = np.unique(miss, return_inverse=True)
    return np.array([price_of(float(value), policy.prices) for value in stated])[inverse]


@dataclass(slots=True)
class _Answer:
    """What policies said of B applications so far; fields as in `Choices`."""

    best: Ints
    known: Bools
    told: Bools
    network: Bools
    finite: Bools
    q: Floats
    miss: Floats
    finish_s: Floats

    @classmethod
    def empty(cls, size: int, counts: int) -> _Answer:
        def flags() -> Bools:
            return np.zeros(size, dtype=np.bool_)

        def numbers() -> Floats:
            return np.full((size, counts), np.nan)

        ones = np.ones(size, dtype=np.int64)
        return cls(ones, flags(), flags(), flags(), flags(), numbers(), numbers(), numbers())

    def ask(
        self, policy: Policy, view: View, prior: Prior, price: Floats, terms: Terms, rows: Ints
    ) -> None:
        """Have ``policy`` value the applications of ``rows``, at least one."""
        every = len(rows) == len(self.best)
        state: State = build_state(
            view if every else view.take(rows),
            prior if every else prior.take(rows),
            price[rows],
            start_delay_s=terms.start_delay_s,
            drain_s=terms.drain_s,
        )
        values = policy.values(state)
        width = values.q.shape[1]
        self.best[rows] = values.best(state)
        self.known[rows], self.told[rows] = state.forecast.known, state.forecast.told
        self.network[rows] = False if values.network is None else values.network
        self.finite[rows] = np.isfinite(values.q).all(axis=1)
        self.q[rows], self.miss[rows] = np.nan, np.nan
        self.q[rows, :width], self.miss[rows, :width] = values.q, values.miss
        self.finish_s[rows] = state.finish_s
