"""Training on experience that is already collected: the same shards give the same weights."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from kitwai.errors import KitwaiError
from kitwai.learning.experience import Labelled
from kitwai.learning.network import build_network
from kitwai.learning.shards import Shard
from kitwai.learning.train import DQNConfig, Trained, compile_update, fit_round


def fit(shards: Sequence[Shard], config: DQNConfig) -> tuple[Trained, list[float]]:
    """Train a network as `kitwai.learning.train.train` does, on ``shards`` in their order; returns
    it and the loss of each round. Where no state offers a choice, the network corrects nothing.

    :raises KitwaiError: the training gave numbers that are not finite.
    """
    import keras
    import tensorflow as tf

    started = time.monotonic()
    # Layers are numbered through a process: their names must not depend on what ran before.
    keras.utils.clear_session()
    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    model = build_network(config.hidden)
    update, _ = compile_update(model, config)
    rng = np.random.default_rng([config.seed, 1])
    losses: list[float] = []
    phases = (
        ([shard.held for shard in shards], config.held_rounds),
        ([shard.played for shard in shards], config.played_rounds),
    )
    for parts, rounds in phases:
        data = Labelled.join(parts)
        if len(data):
            losses += [fit_round(update, data, config, rng) for _ in range(rounds)]
    finite = all(np.isfinite(variable.numpy()).all() for variable in model.variables)
    if not (finite and np.isfinite(losses).all()):
        raise KitwaiError("The training gave numbers that are not finite, and is not used.")
    states = sum(len(shard.held) + len(shard.played) for shard in shards)
    seconds = time.monotonic() - started
    return Trained(model, states, config.updates * len(losses), seconds), losses
