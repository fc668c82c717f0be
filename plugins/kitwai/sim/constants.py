"""The simulator's constants as `kitwai bench calibrate` measured them on real Spark."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from kitwai.errors import InvalidInputError
from kitwai.sim.simulator import SimulatorConfig

MEASURED = Path(__file__).with_name("spark_constants.json")


@cache
def constants(path: Path = MEASURED) -> Mapping[str, float]:
    """The median of every constant, in seconds.

    ``application_start_s``: from an application's start to its first task on one worker;
    ``first_task_s``: of a worker that starts alone. ``..._stagger_s``: how much more, for each of
    those that start together, with every further one. ``job_overhead_s``: between two jobs;
    ``stage_first_task_s``: what an executor's first tasks in a stage take more than its others
    there (the simulator has no such thing). The rest are those of `SimulatorConfig`.

    :raises InvalidInputError: the file cannot be read or is no record of constants.
    """
    try:
        measured = json.loads(path.read_bytes())["constants"]
        return {name: float(one["median"]) for name, one in measured.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInputError(
            f"The constants {path} cannot be read: {error}; measure them by kitwai bench calibrate."
        ) from error


def spark_config(
    *,
    step_s: float = 15.0,
    start_workers: int = 2,
    together: float = 1.0,
    gaps_measured: bool = True,
    path: Path = MEASURED,
) -> SimulatorConfig:
    """The configuration of a cluster like the one that was measured.

    :param together: how many workers usually start at once: they share the machine's processors,
        so that each one's first tasks take longer.
    :param gaps_measured: whether the profiles hold the driver's gaps; if not, the time between two
        stages is added.
    :raises InvalidInputError: the constants cannot be read.
    """
    known = constants(path)
    try:
        return SimulatorConfig(
            step_s=step_s,
            start_workers=start_workers,
            start_delay_s=known["start_delay_s"],
            # The simulator lets them come one after the other: on an average as late.
            start_stagger_s=2.0 * known["start_stagger_s"],
            drain_s=known["drain_s"],
            first_task_s=known["first_task_s"] + (together - 1.0) * known["first_task_stagger_s"],
            task_overhead_s=known["task_overhead_s"],
            stage_overhead_s=0.0 if gaps_measured else known["stage_overhead_s"],
        )
    except KeyError as error:
        raise InvalidInputError(f"The constants {path} lack {error}.") from error
