"""The training loop: a residual network on the forecast learns from forked episodes.

The value of a target is minus its predicted cost and the price of a missed limit times the chance
of missing it (`kitwai.core.policy.policy`). The network corrects that chance: how sharp the
forecast is, and which way it errs. Before the first update it corrects nothing, so that the policy
is the forecast's own and no teacher is needed.

The labels are Monte-Carlo returns: every target that is allowed is tried from the same state, and
whether its episode missed the limit is seen at the end.

- In held rounds a target is held to the end. These labels tell how far to trust the forecast.
- In played rounds a policy goes on after some steps. These labels tell what later decisions can
  still mend. It is a step of policy iteration (Sutton and Barto, "Reinforcement Learning", 2018,
  sections 4.3 and 5.3).

Nothing is bootstrapped. Double DQN with a target network and long traces was tried instead: its
errors, several percent of an episode's cost, were larger than the differences between targets.
"""

from __future__ import annotations

import dataclasses
import io
import json
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kitwai.core.policy.policy import NetworkPolicy
from kitwai.core.policy.replanning import LOGISTIC
from kitwai.errors import CheckpointError
from kitwai.learning.experience import Labelled
from kitwai.learning.experience_sources import ExperienceSource
from kitwai.learning.network import build_network, share_of_allowed, weights_of
from kitwai.learning.training_config import TrainingConfig
from kitwai.store.files import replace_bytes

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained network, and how its training went.

    ``losses``: of each round that had states; ``steps``: decision steps simulated, or states of
    recorded experience; ``fault``: why the training stopped early, None if it did not.
    """

    model: keras.Model
    losses: tuple[float, ...]
    steps: int
    updates: int
    seconds: float
    fault: str | None = None

    def policy(self, version: str = "untitled") -> NetworkPolicy:
        """The network as NumPy forward pass."""
        return NetworkPolicy(version, weights_of(self.model))


def train(
    source: ExperienceSource,
    config: TrainingConfig,
    *,
    budget_s: float | None = None,
    logs: Path | None = None,
    resume: Path | None = None,
    progress: Callable[[int, float], None] = lambda done, loss: None,
) -> Trained:
    """Train a network. The same source, configuration and seed give the same weights bit for bit.

    A round without states changes nothing. A round whose numbers are not finite is taken back, and
    ends the training.

    :param budget_s: stop after this many seconds. The result then depends on the machine's speed.
    :param logs: folder for TensorBoard.
    :param resume: the state after each round is kept in this file, and read from it if it exists.
        A resumed training goes on with other random numbers.
    :param progress: called after each round that had states, with its number and its loss.
    :raises CheckpointError: the file to resume from is of another network or configuration, or
        cannot be written.
    """
    import keras
    import tensorflow as tf

    started = time.monotonic()
    # Keras numbers layers through a process: their names must not depend on earlier trainings.
    keras.utils.clear_session()
    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    model = build_network(config.hidden)
    update, optimizer = compile_update(model, config)
    state = _State([*model.variables, *optimizer.variables], config)
    done = state.read(resume) if resume is not None and resume.exists() else 0
    rng = np.random.default_rng([config.seed, done])
    source.begin(rng)
    log = _tensorboard(logs)
    losses: list[float] = []
    fault = None
    while done < config.rounds and (budget_s is None or time.monotonic() - started < budget_s):
        data = source.states(done, lambda: NetworkPolicy("trained so far", weights_of(model)))
        done += 1
        if not len(data):
            continue
        loss = fit_round(update, data, config, rng)
        if not state.accept(loss):
            fault = f"Round {done} gave numbers that are not finite: the state before it is kept."
            break
        losses.append(loss)
        if resume is not None:
            state.write(resume, done)
        log(done, loss, source.steps)
        progress(done, loss)
    updates, seconds = config.updates * len(losses), time.monotonic() - started
    return Trained(model, tuple(losses), source.steps, updates, seconds, fault)


def fit_round(
    update: Callable[..., Any], data: Labelled, config: TrainingConfig, rng: np.random.Generator
) -> float:
    """The updates of one round, each on states drawn from ``data``; returns their mean loss."""
    losses = []
    for _ in range(config.updates):
        batch = data.take(rng.integers(len(data), size=config.batch_size))
        allowed = share_of_allowed(batch.mask)
        rest = (batch.weight, batch.z, batch.missed)
        losses.append(float(update(batch.global_, batch.of_target, allowed, *rest)))
    return float(np.mean(losses))


def compile_update(model: keras.Model, config: TrainingConfig) -> tuple[Callable[..., Any], Any]:
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


class _State:
    """The variables of network and optimiser, and their values after the last good round."""

    def __init__(self, variables: Sequence[Any], config: TrainingConfig) -> None:
        self._variables, self._config = variables, dataclasses.asdict(config)
        self._good = self._values()

    def _values(self) -> list[np.ndarray]:
        return [variable.numpy() for variable in self._variables]

    def accept(self, loss: float) -> bool:
        """Whether a round gave finite numbers alone. If not, its updates are taken back."""
        reached = self._values()
        # The loss of an update is computed before it: weights may be spoilt while it is finite.
        if np.isfinite(loss) and all(np.isfinite(value).all() for value in reached):
            self._good = reached
            return True
        for variable, value in zip(self._variables, self._good, strict=True):
            variable.assign(value)
        return False

    def write(self, path: Path, done: int) -> None:
        """Write the last good state, after ``done`` rounds, whole or not at all."""
        arrays: dict[str, Any] = {f"v{at}": value for at, value in enumerate(self._good)}
        content = io.BytesIO()
        np.savez(content, done=done, config=json.dumps(self._config), **arrays)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_bytes(path, content.getvalue())
        except OSError as error:
            raise CheckpointError(
                f"The state of the training cannot be kept in {path}: {error.strerror or error}."
            ) from error

    def read(self, path: Path) -> int:
        """Take over what `write` has written; returns the rounds done."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                if json.loads(str(arrays["config"])) != self._config:
                    raise CheckpointError(
                        f"{path} belongs to a training with another configuration."
                    )
                for at, variable in enumerate(self._variables):
                    variable.assign(arrays[f"v{at}"])
                done = int(arrays["done"])
        except (ValueError, TypeError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
            raise CheckpointError(f"{path} is not the state of a training.") from error
        self._good = self._values()
        return done


def _tensorboard(folder: Path | None) -> Callable[[int, float, int], None]:
    """Logs round, loss and decision steps for TensorBoard; without a folder, nowhere."""
    if folder is None:
        return lambda done, loss, steps: None
    import tensorflow as tf

    board = tf.summary.create_file_writer(str(folder))

    def log(done: int, loss: float, steps: int) -> None:
        with board.as_default(step=done):
            tf.summary.scalar("loss", loss)
            tf.summary.scalar("decision_steps", steps)

    return log
