"""Everything that a training depends on besides its experience."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """The sizes of a training. The manifest of a version holds every field under its name."""

    seed: int = 0
    held_rounds: int = 80
    """rounds in which every target is held to the end of the episode"""
    played_rounds: int = 60
    """rounds in which a policy goes on after a target was held for ``hold`` steps"""
    improve: int = 60
    """played rounds after which the network trained so far becomes the policy that goes on"""
    hold: int = 4
    """steps for which a target is held in a played round"""
    envs: int = 384
    """episodes side by side"""
    states: int = 150
    """labelled states of a played round; a held round labels all episodes"""
    walk: int = 2
    """steps of all episodes before each round"""
    epsilon: float = 0.15
    """share of random targets on these steps"""
    pool: int = 4000
    """episodes to draw from"""
    hidden: int = 48
    """width of both ReLU layers"""
    updates: int = 24
    """gradient updates a round"""
    batch_size: int = 1024
    """states of an update"""
    learning_rate: float = 2e-3
    """of Adam at the first update; it falls to 0 along half a cosine"""
    shrinkage: float = 0.0025
    """weight of the squared corrections in the loss: no correction without evidence"""
    max_grad_norm: float = 1.0
    """global norm to which gradients are clipped"""

    @property
    def rounds(self) -> int:
        """Held and played rounds together."""
        return self.held_rounds + self.played_rounds
