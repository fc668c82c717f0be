"""Asks a baseline about one real application, whose family's past runs are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kitwai.core.forecast.arrays import View
from kitwai.core.records.constraint import Constraint
from kitwai.core.records.profile import MAX_STAGES, ApplicationProfile, StageProfile
from kitwai.sim.episodes import Episodes
from kitwai.sim.judging import Controller
from kitwai.sim.library import Library
from kitwai.sim.simulator import Realisation, SimulatorConfig

MOST_RUNS = 20
"""So many of a family's past runs are read: the newest runs."""

_PRESENT = "present run"


@dataclass(frozen=True, slots=True)
class Announced:
    """What is known of an application when it starts.

    ``cores``: task slots a worker; ``past``: its family's ended runs, oldest first.
    """

    family: str
    inputs: Mapping[str, float]
    cores: int
    constraint: Constraint
    past: Sequence[ApplicationProfile] = ()


class SingleBaseline:
    """Asks a controller for the target of one application, step after step."""

    def __init__(
        self,
        controller: Controller,
        announced: Announced,
        config: SimulatorConfig,
        *,
        counts: int,
        stages: int,
    ) -> None:
        """
        :param counts: the most workers that a view tells apart; ``stages``: number of its stages.
        """
        past = [
            run
            for run in announced.past
            if run.family == announced.family and run.cores_per_worker == announced.cores
        ][-MOST_RUNS:]
        # This profile stands for the run, so that a baseline can read only what the run announces.
        # The added input makes runs with the same inputs count as past runs.
        present = ApplicationProfile(
            app=_PRESENT,
            family=announced.family,
            inputs={**announced.inputs, _PRESENT: 1.0},
            cores_per_worker=announced.cores,
            stages=tuple(StageProfile(at, (), (1.0,)) for at in range(min(stages, MAX_STAGES))),
            source="",
        )
        library = Library([present, *past], counts)
        self._stages = library.tasks.shape[1]
        self._controller = controller
        controller.begin(
            library,
            Episodes(
                profile=np.zeros(1, dtype=np.int64),
                max_workers=np.array([announced.constraint.max_workers]),
                limit_s=np.array([announced.constraint.limit_s]),
                miss=np.array([announced.constraint.miss]),
                informed=np.array([bool(past)]),
                realisation=Realisation.calm(1),
            ),
            config,
        )

    def target(self, view: View) -> int:
        """The target for the one application of ``view``, 1..N."""
        asked = int(self._controller.targets(view.padded(self._stages))[0])
        return min(max(1, asked), int(view.max_workers[0]))
