"""`sim.baselines.lookahead`: the baseline that plans the stages ahead."""

from __future__ import annotations

from kitwai.sim.baselines import make


def test_a_lower_margin_ends_earlier_on_more_workers(judges):
    judge = judges["recurring"]
    outcomes = [judge.run(one) for one in make(["lookahead"], (1.0, 0.6)).values()]
    rows = judge.feasible
    assert outcomes[1].finish_s[rows].mean() < outcomes[0].finish_s[rows].mean()
    assert outcomes[1].worker_seconds[rows].mean() > outcomes[0].worker_seconds[rows].mean()
