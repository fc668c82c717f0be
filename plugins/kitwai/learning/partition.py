"""The partition of a run of the training DAG: the folder in which its tasks work, and its plan.

The folder is named after a hash of plan and past runs. Runs with other data or settings never share
a folder, and runs with the same data and settings write the same bytes. So days that are trained at
the same time, and a retry after a crash, cannot disturb each other.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from kitwai.core.policy.state import TARGETS
from kitwai.core.records.grid import parse_grid
from kitwai.core.records.profile import ApplicationProfile
from kitwai.errors import InvalidInputError
from kitwai.learning.training_config import TrainingConfig
from kitwai.store.files import replace_text
from kitwai.store.training import Run

MOST_RUNS = 200
"""Most past runs that a training uses: the newest before the interval's end."""

_MOST_EFFORT = 10.0
_MOST_PARTS = 60
_PLAN, _RUNS = "plan.json", "runs.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a run of the training DAG depends on besides the past runs.

    ``since`` and ``until``: the data interval in epoch seconds, ``since`` 0 for everything;
    ``grid``: as `kitwai.core.records.grid.parse_grid` reads it; ``effort``: share of the usual
    training; ``parts``: tasks among which the grid is divided.

    :raises InvalidInputError: a value cannot be used.
    """

    since: float
    until: float
    grid: str
    seed: int = 0
    effort: float = 1.0
    parts: int = 4

    def __post_init__(self) -> None:
        if not 0 <= self.since < self.until:
            raise InvalidInputError("The data interval must begin before it ends.")
        if self.seed < 0:
            raise InvalidInputError(f"The seed must not be negative, but is {self.seed}.")
        if not 0 < self.effort <= _MOST_EFFORT:
            raise InvalidInputError(
                f"The effort must lie above 0 and up to {_MOST_EFFORT:g}, not be {self.effort:g}."
            )
        if not 1 <= self.parts <= _MOST_PARTS:
            raise InvalidInputError(
                f"The grid is divided among 1 to {_MOST_PARTS} tasks, not {self.parts}."
            )
        most = max(workers for workers, _ in self.constraints)
        if most > TARGETS:
            raise InvalidInputError(
                f"The network knows up to {TARGETS} workers, but the grid {self.grid!r} {most}."
            )

    @property
    def constraints(self) -> list[tuple[int, float]]:
        """Pairs of N and T in seconds. :raises InvalidInputError: the grid is none."""
        return list(product(*parse_grid(self.grid)))

    @property
    def chunks(self) -> list[list[tuple[int, float]]]:
        """The constraints of each part. Every part gets few and many workers, short and long
        limits, so that all parts take about as long.
        """
        pairs = self.constraints
        parts = min(self.parts, len(pairs))
        mixed = np.random.default_rng(0).permutation(len(pairs))
        return [[pairs[at] for at in sorted(mixed[part::parts])] for part in range(parts)]

    @property
    def config(self) -> TrainingConfig:
        """The training's configuration at this effort."""
        usual = TrainingConfig(seed=self.seed)
        return TrainingConfig(
            seed=self.seed,
            held_rounds=scaled(usual.held_rounds, self.effort),
            played_rounds=scaled(usual.played_rounds, self.effort),
        )

    @property
    def day(self) -> str:
        """The last day of the interval (UTC), as ``20260131``."""
        return f"{datetime.fromtimestamp(self.until - 1e-3, UTC):%Y%m%d}"

    @property
    def interval(self) -> list[str | None]:
        """The interval as ISO 8601, for manifests; None where it has no beginning."""
        begin, end = (
            datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
            for moment in (self.since, self.until)
        )
        return [begin if self.since > 0 else None, end]


def scaled(usual: int, effort: float) -> int:
    """A share of a usual number, 1 at least."""
    return max(1, math.ceil(usual * effort - 1e-9))


class Partition:
    """The folder of one run of the DAG: its plan, its past runs, and the files of its tasks."""

    def __init__(self, folder: Path) -> None:
        """:raises InvalidInputError: the folder holds no plan."""
        self.folder = folder
        try:
            self.plan = Plan(**json.loads((folder / _PLAN).read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise InvalidInputError(
                f"The folder {folder} holds no plan of a training: run its ingest task again."
            ) from error

    @classmethod
    def make(cls, root: Path, plan: Plan, runs: Sequence[Run]) -> Partition:
        """Write down plan and past runs, so that all tasks and their retries see the same.

        :param runs: the newest `MOST_RUNS` before the interval's end, oldest first.
        """
        data = [
            {
                "started_at": run.started_at,
                "ended_at": run.ended_at,
                "profile": run.profile.to_dict(),
            }
            for run in runs
        ]
        texts = {_RUNS: json.dumps(data), _PLAN: json.dumps(asdict(plan))}
        digest = hashlib.sha256("\n".join(texts.values()).encode()).hexdigest()
        folder = root / f"{plan.day}-{digest[:12]}"
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            replace_text(folder / name, text)
        return cls(folder)

    def runs(self) -> list[Run]:
        """The past runs to learn from, oldest first."""
        data: list[dict[str, Any]] = json.loads((self.folder / _RUNS).read_text())
        return [
            Run(ApplicationProfile.from_dict(run["profile"]), run["started_at"], run["ended_at"])
            for run in data
        ]

    def shard(self, part: int) -> Path:
        """The file of one part's simulated experience."""
        return self.folder / f"shard-{part:02d}.npz"

    @property
    def recorded_shard(self) -> Path:
        """The file of the steps recorded on a real cluster."""
        return self.folder / "shard-real.npz"

    @property
    def shards(self) -> list[Path]:
        """The files of all experience, the recorded steps last."""
        parts = range(len(self.plan.chunks))
        return [*(self.shard(part) for part in parts), self.recorded_shard]
