"""The residual network in Keras, and its weights as NumPy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kitwai.core.policy.policy import ARRAYS, OUTPUTS
from kitwai.core.policy.state import GLOBAL_FEATURES, TARGET_FEATURES, TARGETS

if TYPE_CHECKING:
    import keras


def build_network(hidden: int) -> keras.Model:
    """Features and mask of `kitwai.core.policy.state` -> corrections of the forecast [B, 10, 2].

    The layers are those of `kitwai.core.policy.policy.NetworkPolicy.correct`. Before training all
    corrections are 0.

    :param hidden: width of both ReLU layers.
    """
    import keras

    global_ = keras.Input((len(GLOBAL_FEATURES),), name="global")
    of_target = keras.Input((TARGETS, len(TARGET_FEATURES)), name="of_target")
    allowed = keras.Input((TARGETS,), name="share_of_allowed")
    dense = keras.layers.Dense
    shared = keras.layers.Reshape((1, hidden))(dense(hidden, name="from_global")(global_))
    first = keras.layers.Add()(
        [dense(hidden, use_bias=False, name="from_target")(of_target), shared]
    )
    first = keras.layers.ReLU()(first)
    context = keras.layers.Dot(axes=1)([allowed, first])
    context = keras.layers.Reshape((1, hidden))(dense(hidden, name="from_context")(context))
    second = keras.layers.Add()([dense(hidden, use_bias=False, name="from_hidden")(first), context])
    second = keras.layers.ReLU()(second)
    output = dense(OUTPUTS, kernel_initializer="zeros", name="corrections")(second)
    return keras.Model([global_, of_target, allowed], output, name="q_network")


def share_of_allowed(mask: np.ndarray) -> np.ndarray:
    """[B, 10] the weight of each target in the mean over those allowed."""
    allowed = mask.astype(np.float32)
    return np.asarray(allowed / np.maximum(allowed.sum(axis=1, keepdims=True), 1.0))


def weights_of(model: keras.Model) -> dict[str, Any]:
    """The network's arrays by the names of `kitwai.core.policy.policy.ARRAYS`, copied."""
    layers = {layer.name: layer for layer in model.layers}
    arrays = {
        "global_kernel": layers["from_global"].kernel,
        "global_bias": layers["from_global"].bias,
        "target_kernel": layers["from_target"].kernel,
        "context_kernel": layers["from_context"].kernel,
        "context_bias": layers["from_context"].bias,
        "hidden_kernel": layers["from_hidden"].kernel,
        "output_kernel": layers["corrections"].kernel,
        "output_bias": layers["corrections"].bias,
    }
    return {name: arrays[name].numpy().copy() for name in ARRAYS}
