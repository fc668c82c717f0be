"""Training: a masked double DQN over all constraints at once, in the simulator.

What is learnt is a correction to `kitwai.core.policy.predicted_return`: one step moves the end of
an application by so little that a network which learns Q-values from nothing drowns in their noise.

Mnih et al. 2015 (DQN), van Hasselt et al. 2016 (double Q-learning); the target network follows the
online one as in Lillicrap et al. 2016, and is what training returns, being the average of the last
online ones. Same library, configuration and machine: same weights, bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kitwai.core.estimate import Floats
from kitwai.core.policy import AnalyticPolicy, NetworkPolicy, Policy
from kitwai.core.state import FEATURE_NAMES, TARGETS, State
from kitwai.errors import KitwaiError
from kitwai.learning.experience import Collector
from kitwai.learning.network import build_network, layers_of
from kitwai.learning.replay import ReplayBuffer
from kitwai.sim.episodes import greedy_targets
from kitwai.sim.library import Ints, Library

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class DQNConfig:
    """Every hyperparameter of the training."""

    seed: int = 0
    """seeds the episodes, the exploration, the sampling and the initial weights"""
    steps: int = 600_000
    """steps of the simulator, over all episodes"""
    envs: int = 128
    """episodes side by side"""
    hidden: tuple[int, ...] = (64, 64)
    """width of each hidden layer"""
    buffer_size: int = 400_000
    """transitions kept for replay"""
    learning_starts: int = 20_000
    """transitions of a random policy before the first update; they set the normalisation"""
    updates_per_step: int = 3
    """gradient updates after each step of all episodes"""
    batch_size: int = 256
    """transitions of one update"""
    learning_rate: float = 5e-4
    """of Adam at the first update; falls to nothing by half a cosine"""
    tau: float = 2e-3
    """share by which the target network moves to the online one at each update"""
    epsilon_start: float = 0.2
    """share of random targets at the first update"""
    epsilon_end: float = 0.05
    """share of random targets at last"""
    exploration_fraction: float = 0.3
    """share of the training over which epsilon falls linearly"""
    shrinkage: float = 2.0
    """weight of the squared differences between one state's corrections: a target is worth more or
    less than predicted where experience insists, else not"""
    weight_floor: float = 0.1
    """an error counts by 1 / (this + predicted loss), since light loads have small differences"""
    max_grad_norm: float = 10.0
    """global norm to which gradients are clipped"""


@dataclass(frozen=True, slots=True)
class Trained:
    """What training gives: the network with its normalisation, and how far it came."""

    model: keras.Model
    mean: Floats
    scale: Floats
    steps: int
    updates: int
    seconds: float

    def policy(self, version: str = "untitled") -> NetworkPolicy:
        """The network as NumPy forward pass."""
        return NetworkPolicy(version, layers_of(self.model), self.mean, self.scale)


def train(
    library: Library,
    config: DQNConfig,
    *,
    budget_s: float | None = None,
    progress: Callable[[int, float], None] = lambda steps, loss: None,
) -> Trained:
    """Train a network on the applications of ``library``.

    :param budget_s: stop after this many seconds. A run that is cut so depends on the clock and
        cannot be repeated bit for bit.
    :param progress: called now and then with the steps so far and the latest loss.
    :raises KitwaiError: the loss is not finite any more.
    """
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    rng = np.random.default_rng(config.seed)
    started = time.monotonic()
    collector = Collector(library, config.envs, rng)
    buffer = ReplayBuffer(config.buffer_size, len(FEATURE_NAMES))
    steps = _warm_up(collector, buffer, config, rng)
    mean, scale = _normalisation(buffer.states)
    online, target = (build_network(config.hidden, mean, scale) for _ in range(2))
    target.set_weights(online.get_weights())
    rounds = max(1, (config.steps - steps) // config.envs)
    update = compile_update(online, target, config, rounds * config.updates_per_step)
    updates = 0
    for round_ in range(rounds):
        if budget_s is not None and time.monotonic() - started > budget_s:
            break
        policy = NetworkPolicy("online", layers_of(online), mean, scale)
        fallen = min(1.0, round_ / (config.exploration_fraction * rounds))
        epsilon = config.epsilon_start + fallen * (config.epsilon_end - config.epsilon_start)
        buffer.add(collector.step(partial(_explore, policy, epsilon, rng)))
        steps += config.envs
        for _ in range(config.updates_per_step):
            loss = update(*buffer.sample(config.batch_size, rng))
            updates += 1
        if round_ % 100 == 0:
            if not np.isfinite(float(loss)):
                raise KitwaiError(f"Training stopped at step {steps}: the loss is {float(loss)}.")
            progress(steps, float(loss))
    return Trained(target, mean, scale, steps, updates, time.monotonic() - started)


def compile_update(
    online: keras.Model, target: keras.Model, config: DQNConfig, updates: int
) -> Callable[..., Any]:
    """One gradient update as a compiled function of the fields of `Transitions`; gives the loss."""
    import keras
    import tensorflow as tf

    schedule = keras.optimizers.schedules.CosineDecay(config.learning_rate, updates)
    optimizer = keras.optimizers.Adam(schedule, global_clipnorm=config.max_grad_norm)
    optimizer.build(online.trainable_variables)

    def update(
        state: Any,
        action: Any,
        reward: Any,
        prior: Any,
        next_state: Any,
        next_prior: Any,
        done: Any,
        mask: Any,
    ) -> Any:
        # The online network chooses among the allowed targets, the target network values it.
        allowed = tf.where(mask, next_prior + online(next_state), -np.inf)
        best = tf.argmax(allowed, axis=1, output_type=tf.int32)
        next_q = tf.gather(next_prior + target(next_state), best, batch_dims=1)
        expected = tf.stop_gradient(reward + (1.0 - done) * next_q)
        predicted_loss = -tf.reduce_max(tf.where(mask, prior, -np.inf), axis=1)
        weight = 1.0 / (config.weight_floor + predicted_loss)
        weight /= tf.reduce_mean(weight)
        with tf.GradientTape() as tape:
            correction = online(state)
            q_value = tf.gather(prior + correction, action, batch_dims=1)
            error = keras.losses.huber(expected[:, None], q_value[:, None])
            spread = correction - tf.reduce_mean(correction, axis=1, keepdims=True)
            loss = tf.reduce_mean(weight * error)
            loss += config.shrinkage * tf.reduce_mean(tf.square(spread))
        gradients = tape.gradient(loss, online.trainable_variables)
        optimizer.apply_gradients(zip(gradients, online.trainable_variables, strict=True))
        for kept, new in zip(target.trainable_variables, online.trainable_variables, strict=True):
            kept.assign(kept + config.tau * (new - kept))
        return loss

    compiled: Callable[..., Any] = tf.function(update)
    return compiled


def _warm_up(
    collector: Collector, buffer: ReplayBuffer, config: DQNConfig, rng: np.random.Generator
) -> int:
    """Fill the buffer at random; returns the steps taken."""
    steps = 0
    while buffer.size < config.learning_starts:
        buffer.add(collector.step(partial(_explore, AnalyticPolicy(), 1.0, rng)))
        steps += config.envs
    return steps


def _explore(policy: Policy, epsilon: float, rng: np.random.Generator, state: State) -> Ints:
    """[B] the policy's targets, a share ``epsilon`` of them replaced by random allowed ones."""
    known = np.ones(len(state.workers), dtype=np.bool_)
    greedy = greedy_targets(policy, state, known)
    random = rng.integers(1, np.minimum(state.max_workers, TARGETS).astype(np.int64) + 1)
    return np.where(rng.random(len(greedy)) < epsilon, random, greedy)


def _normalisation(states: np.ndarray) -> tuple[Floats, Floats]:
    """Mean and standard deviation [F]; features that hardly vary are left as they are."""
    mean = states.mean(axis=0, dtype=np.float64)
    scale = states.std(axis=0, dtype=np.float64)
    return mean, np.where(scale > 1e-3, scale, 1.0)
