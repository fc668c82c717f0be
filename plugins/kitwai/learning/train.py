"""Training: a Q-network learns from forked episodes what the forecast is wrong by.

The Q-value of a target is minus its predicted cost and the price of a missed limit times its
chance (`kitwai.core.policy.policy`). The network corrects that chance: how sharp the forecast is,
and which way it errs. Before the first update the forecast decides, and no teacher is
needed:

- first every target is followed as if it were held to the end, which tells how far to trust the
  forecast;
- then one target is held for some steps, and what has been learnt so far goes on: a step of policy
  iteration with returns of whole episodes (Sutton and Barto, "Reinforcement Learning", 2018,
  sections 4.3 and 5.3), which tells what can still be mended later.

Nothing is bootstrapped. Double DQN with a target network and long traces was tried in its place:
its errors, several percent of an episode's cost, were larger than what targets differ by.
"""

from __future__ import annotations

import dataclasses
import io
import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kitwai.core.policy.policy import ForecastPolicy, NetworkPolicy, Policy
from kitwai.core.policy.replanning import LOGISTIC
from kitwai.errors import CheckpointError
from kitwai.learning.experience import Collector, Labelled, Pool
from kitwai.learning.network import build_network, share_of_allowed, weights_of
from kitwai.sim.library import Library
from kitwai.sim.simulator import SimulatorConfig
from kitwai.store.files import replace_bytes

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class DQNConfig:
    """Everything a training run depends on besides its applications."""

    seed: int = 0
    held_rounds: int = 80
    """rounds in which every target is held to the end"""
    played_rounds: int = 60
    """rounds in which the policy of the first ones goes on after ``hold`` steps"""
    improve: int = 60
    """played rounds after which the policy that goes on is the one learnt so far"""
    hold: int = 4
    envs: int = 384
    """episodes side by side"""
    states: int = 150
    """states of a played round; in a held one all are taken"""
    walk: int = 2
    """steps of all episodes between two rounds"""
    epsilon: float = 0.15
    """share of random targets on these steps"""
    pool: int = 4000
    """episodes to draw from"""
    hidden: int = 48
    """width of both ReLU layers"""
    updates: int = 24
    """gradient updates a round"""
    batch_size: int = 1024
    """states of one update"""
    learning_rate: float = 2e-3
    """of Adam at the first update; falls to nothing by half a cosine"""
    shrinkage: float = 0.0025
    """weight of the squared corrections: no correction without evidence"""
    max_grad_norm: float = 1.0
    """global norm to which gradients are clipped"""

    @property
    def rounds(self) -> int:
        """Of both kinds."""
        return self.held_rounds + self.played_rounds


@dataclass(frozen=True, slots=True)
class Trained:
    """What training gives: the network, and how far it came. ``steps``: decision steps simulated;
    ``fault``: why it stopped early, None if it did not.
    """

    model: keras.Model
    steps: int
    updates: int
    seconds: float
    fault: str | None = None

    def policy(self, version: str = "untitled") -> NetworkPolicy:
        """The network as NumPy forward pass."""
        return NetworkPolicy(version, weights_of(self.model))


def train(
    library: Library,
    config: DQNConfig,
    *,
    budget_s: float | None = None,
    logs: Path | None = None,
    resume: Path | None = None,
    progress: Callable[[int, float], None] = lambda done, loss: None,
) -> Trained:
    """Train a network on the applications of ``library``.

    :param budget_s: stop after this many seconds. A run that is cut so depends on the clock and
        cannot be repeated bit for bit.
    :param logs: folder for TensorBoard.
    :param resume: the state after each round is kept in this file, and read from it if it exists.
        A run that was cut goes on with other random numbers.
    :param progress: called after each round with its number and its loss.
    :raises CheckpointError: the file to resume from is of another network or configuration, or
        cannot be written.
    """
    import keras
    import tensorflow as tf

    started = time.monotonic()
    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    online = build_network(config.hidden)
    update, optimizer = compile_update(online, config)
    state = [*online.variables, *optimizer.variables]
    first = _restore(resume, state, config) if resume is not None and resume.exists() else 0
    rng = np.random.default_rng([config.seed, first])
    simulation = SimulatorConfig()
    collector = Collector(
        library, Pool.draw(library, config.pool, rng), config.envs, rng, simulation
    )
    board = tf.summary.create_file_writer(str(logs)) if logs is not None else None
    policy: Policy = ForecastPolicy()
    memory: list[Labelled] = []
    good = [variable.numpy() for variable in state]
    done, fault = first, None
    while done < config.rounds and (budget_s is None or time.monotonic() - started < budget_s):
        played = done - config.held_rounds
        if played >= 0 and (played % config.improve == 0 or not memory):
            policy, memory = NetworkPolicy("learnt so far", weights_of(online)), []
        for _ in range(config.walk):
            collector.walk(policy, config.epsilon)
        if played < 0:
            memory.append(collector.label(config.envs))
        else:
            memory.append(collector.label(config.states, policy, config.hold))
        loss = fit_round(update, Labelled.join(memory), config, rng)
        reached = [variable.numpy() for variable in state]
        # The loss of an update is computed before it: weights may be spoilt while it is finite.
        if not (np.isfinite(loss) and all(np.isfinite(value).all() for value in reached)):
            for variable, value in zip(state, good, strict=True):
                variable.assign(value)
            fault = (
                f"Round {done + 1} gave numbers that are not finite: the state before it is kept."
            )
            break
        done, good = done + 1, reached
        if resume is not None:
            _keep(resume, good, done, config)
        if board is not None:
            with board.as_default(step=done):
                tf.summary.scalar("loss", loss)
                tf.summary.scalar("decision_steps", collector.steps)
        progress(done, loss)
    seconds = time.monotonic() - started
    return Trained(online, collector.steps, config.updates * (done - first), seconds, fault)


def fit_round(
    update: Callable[..., Any], data: Labelled, config: DQNConfig, rng: np.random.Generator
) -> float:
    """The updates of one round; their mean loss."""
    losses = []
    for _ in range(config.updates):
        chosen = rng.integers(len(data), size=config.batch_size)
        losses.append(
            float(
                update(
                    data.global_[chosen],
                    data.of_target[chosen],
                    share_of_allowed(data.mask[chosen]),
                    data.weight[chosen],
                    data.z[chosen],
                    data.missed[chosen],
                )
            )
        )
    return float(np.mean(losses))


def _keep(path: Path, values: list[np.ndarray], done: int, config: DQNConfig) -> None:
    """Write the state of a training, whole or not at all."""
    arrays: dict[str, Any] = {f"v{at}": value for at, value in enumerate(values)}
    content = io.BytesIO()
    np.savez(content, done=done, config=json.dumps(describe(config)), **arrays)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_bytes(path, content.getvalue())
    except OSError as error:
        raise CheckpointError(
            f"The state of the training cannot be kept in {path}: {error.strerror or error}."
        ) from error


def _restore(path: Path, state: list[Any], config: DQNConfig) -> int:
    """Read what `_keep` has written into ``state``; returns the rounds done."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if json.loads(str(arrays["config"])) != describe(config):
                raise CheckpointError(f"{path} belongs to a training with another configuration.")
            for at, variable in enumerate(state):
                variable.assign(arrays[f"v{at}"])
            return int(arrays["done"])
    except (ValueError, TypeError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} is not the state of a training.") from error


def compile_update(model: keras.Model, config: DQNConfig) -> tuple[Callable[..., Any], Any]:
    """One gradient update as a compiled function, which gives the loss, and its optimiser.

    The function takes B states: features and mask as `build_network`'s model does; and [B, 10]
    for each target: its weight, ``z`` of the forecast, and whether the limit was missed.
    """
    import keras
    import tensorflow as tf

    schedule = keras.optimizers.schedules.CosineDecay(
        config.learning_rate, config.rounds * config.updates
    )
    optimizer = keras.optimizers.Adam(schedule, global_clipnorm=config.max_grad_norm)
    optimizer.build(model.trainable_variables)

    def update(global_: Any, of_target: Any, allowed: Any, weight: Any, z: Any, missed: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = model([global_, of_target, allowed])
            scale = tf.exp(tf.clip_by_value(outputs[:, :, 0], -3.0, 3.0))
            odds = outputs[:, :, 1] - LOGISTIC * z * scale
            entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=missed, logits=odds)
            size = tf.reduce_sum(tf.square(outputs), axis=2)
            loss = tf.reduce_sum(weight * (entropy + config.shrinkage * size), axis=1)
            loss = tf.reduce_mean(loss)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return tf.function(update), optimizer


def describe(config: DQNConfig) -> dict[str, Any]:
    """The configuration as plain values, for the manifest."""
    return dataclasses.asdict(config)
