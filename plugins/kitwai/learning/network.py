"""The Q-network in Keras, and its weights as NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kitwai.core.estimate import Floats
from kitwai.core.state import FEATURE_NAMES, TARGETS

if TYPE_CHECKING:
    import keras

Layers = list[tuple[np.ndarray, np.ndarray]]
"""(kernel [in, out], bias [out]) of each dense layer, first to last."""


def build_network(hidden: Sequence[int], mean: Floats, scale: Floats) -> keras.Model:
    """Features [B, F] as `kitwai.core.state.encode` gives them -> corrections [B, 10].

    Q-values are `kitwai.core.policy.predicted_return` plus these; at first they are zero.

    :param hidden: width of each ReLU layer.
    :param mean: [F] subtracted from the features; ``scale``: [F] they are divided by.
    """
    import keras

    layers = [
        keras.Input((len(FEATURE_NAMES),), name="features"),
        keras.layers.Rescaling((1.0 / scale).tolist(), offset=(-mean / scale).tolist()),
        *(keras.layers.Dense(width, activation="relu") for width in hidden),
        keras.layers.Dense(TARGETS, kernel_initializer="zeros", name="corrections"),
    ]
    return keras.Sequential(layers, name="q_network")


def layers_of(model: keras.Model) -> Layers:
    """The dense layers of a network, copied."""
    weights = [np.array(weight) for weight in model.get_weights()]
    return list(zip(weights[::2], weights[1::2], strict=True))
