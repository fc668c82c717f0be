"""`core.decide.targets`: one assembly for a live step and for simulated episodes."""

from __future__ import annotations

import numpy as np
import pytest

from builders import application, observation, settings, stage
from kitwai.core.decide.application import Workers, as_arrays
from kitwai.core.decide.cluster import decide
from kitwai.core.decide.targets import Terms, choose_targets
from kitwai.core.policy.policy import FORECAST, NETWORK, ForecastPolicy, NetworkPolicy, array_shapes
from kitwai.core.policy.state import TARGETS
from kitwai.core.records.constraint import Constraint
from kitwai.sim.episodes import grid_episodes
from kitwai.sim.judging import Judge
from kitwai.sim.library import Library
from kitwai.sim.policy_controller import PolicyController
from kitwai.sim.synthetic import synthetic_profiles

HALF_DONE = stage(tasks=200, complete=60, active=4, task_s=5.0)
SEEN = observation(2, application(HALF_DONE, elapsed_s=80.0, limit_s=240.0))


def network(trusted: bool, scale: float = 0.0) -> NetworkPolicy:
    rng = np.random.default_rng(3)
    weights = {
        name: rng.normal(0.0, scale, shape) if scale else np.zeros(shape)
        for name, shape in array_shapes(8).items()
    }
    return NetworkPolicy("v1", weights, trusted={"informed": trusted, "uninformed": trusted})


@pytest.mark.parametrize(("trusted", "name"), [(True, NETWORK), (False, FORECAST)])
def test_a_decision_names_the_network_only_where_it_is_trusted(trusted, name):
    decision = decide(SEEN, settings(), network(trusted))
    (made,) = decision.applications
    assert (decision.policy, made.policy) == (name, name)
    assert f"the {name} asked for" in decision.reason
    assert (decision.checkpoint, made.checkpoint, decision.fallback) == ("v1", "v1", None)


def test_nobody_is_named_where_nothing_was_judged():
    decision = decide(observation(3), settings(), network(True))
    assert (decision.policy, decision.applications) == ("rules", ())


def test_a_live_step_gets_what_the_batch_gets():
    (seen,), of = SEEN.applications, settings()
    constraint = Constraint(of.constraint.max_workers, seen.limit_s, of.constraint.miss)
    for policy in (ForecastPolicy(), network(True, scale=0.3)):
        (made,) = decide(SEEN, of, policy).applications
        view, prior = as_arrays(seen, constraint, of, (), Workers(2, 0))
        choices = choose_targets(
            policy,
            view,
            prior,
            np.array([constraint.miss]),
            Terms(of.margin, of.start_delay_s, of.drain_s),
        )
        assert made.target == choices.target[0]
        assert made.q_values == tuple(choices.q[0, : constraint.max_workers])
        assert made.predicted_finish_s == tuple(choices.finish_s[0, : constraint.max_workers])


class _Asked(PolicyController):
    """Keeps what it was asked and what it answered."""

    def begin(self, library, episodes, config):
        super().begin(library, episodes, config)
        self.seen = []

    def targets(self, view):
        targets = super().targets(view)
        self.seen.append((view, targets))
        return targets


def test_simulated_episodes_keep_the_guardrails():
    library = Library(synthetic_profiles(6, 2))
    episodes = grid_episodes(library, "new", seed=4, workers=(6,), limits_s=(240.0, 420.0))
    controller = _Asked(ForecastPolicy())
    Judge(library, episodes).run(controller)
    last_change = np.full(len(episodes), -np.inf)
    lowered = 0
    for view, targets in controller.seen:
        down = ~view.over & (targets < np.maximum(view.workers, 1))
        lowered += int(down.sum())
        # The cooldown of a live cluster: no scale-in within 30 s of another scaling.
        assert (view.now[down] - last_change[down] >= 30.0).all()
        changed = ~view.over & (targets != np.maximum(view.workers, 1))
        last_change[changed] = view.now[changed]
        assert ((targets >= 1) & (targets <= TARGETS)).all()
    assert lowered > 0
