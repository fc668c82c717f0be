"""Holds the simulator's constants, measured on real Spark by `kitwai bench calibrate`."""

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
    ``first_task_s``: extra time of the first tasks of a worker that starts alone;
    ``..._stagger_s``: added for each worker that starts at the same time; ``job_overhead_s``:
    between two jobs; ``stage_first_task_s``: how much longer an executor's first tasks in a stage
    take than its later tasks there, which the simulator takes from profiles instead. The other
    constants are those of `SimulatorConfig`.

    :raises InvalidInputError: the file cannot be read, or holds no constants.
    """
    try:
        measured = json.loads(path.read_bytes())["constants"]
        return {name: float(entry["median"]) for name, entry in measured.items()}
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
    """The configuration of a cluster like the measured cluster.

    :param together: how many workers usually start at once. They share the machine's processors,
        so the first tasks of each worker take longer.
    :param gaps_measured: whether the profiles hold the driver's gaps. If not, the time between two
        stages is added.
    :raises InvalidInputError: the constants cannot be read.
    """
    known = constants(path)
    try:
        return SimulatorConfig(
            step_s=step_s,
            start_workers=start_workers,
            start_delay_s=known["start_delay_s"],
            # The simulator starts workers in turn: twice the stagger is as late on average.
            start_stagger_s=2.0 * known["start_stagger_s"],
            drain_s=known["drain_s"],
            first_task_s=known["first_task_s"] + (together - 1.0) * known["first_task_stagger_s"],
            task_overhead_s=known["task_overhead_s"],
            stage_overhead_s=0.0 if gaps_measured else known["stage_overhead_s"],
        )
    except KeyError as error:
        raise InvalidInputError(f"The constants {path} lack {error}.") from error
