"""What one run of the training DAG depends on, and the folder in which its tasks work.

The folder is named after a hash of everything that goes into the run. Two runs with other data or
settings never share one, and two runs with the same write the same bytes: days that are trained at
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
from kitwai.learning.train import DQNConfig
from kitwai.store.files import replace_text
from kitwai.store.training import Run

MOST_RUNS = 200
"""Of all runs known before the interval's end, the newest that a training uses."""

_MOST_EFFORT = 10.0
_MOST_PARTS = 60
_PLAN, _RUNS = "plan.json", "runs.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """``since`` and ``until``: the data interval in epoch seconds, ``since`` 0 for everything;
    ``grid`` as `kitwai.core.records.grid.parse_grid` reads it; ``effort``: share of the usual
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
        """The constraints of each part: every one gets few and many workers, short limits and long
        ones, so that all take about as long.
        """
        pairs = self.constraints
        parts = min(self.parts, len(pairs))
        mixed = np.random.default_rng(0).permutation(len(pairs))
        return [[pairs[one] for one in sorted(mixed[at::parts])] for at in range(parts)]

    @property
    def config(self) -> DQNConfig:
        """The training's configuration at this effort."""
        usual = DQNConfig(seed=self.seed)
        return DQNConfig(
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
            datetime.fromtimestamp(one, UTC).isoformat(timespec="seconds")
            for one in (self.since, self.until)
        )
        return [begin if self.since > 0 else None, end]


def scaled(usual: int, effort: float) -> int:
    """A share of a usual number, 1 at least."""
    return max(1, math.ceil(usual * effort - 1e-9))


class Partition:
    """The folder of one run: its plan, the runs it learns from, and what its tasks make."""

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
        """Write plan and runs down, so that all tasks, and their retries, see the same.

        :param runs: the newest `MOST_RUNS` that are known before the interval's end, oldest first.
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
        """The runs to learn from, oldest first."""
        data: list[dict[str, Any]] = json.loads((self.folder / _RUNS).read_text())
        return [
            Run(ApplicationProfile.from_dict(one["profile"]), one["started_at"], one["ended_at"])
            for one in data
        ]

    def shard(self, part: int) -> Path:
        """The file of one part's experience."""
        return self.folder / f"shard-{part:02d}.npz"

    @property
    def real(self) -> Path:
        """The file of what a real cluster showed."""
        return self.folder / "shard-real.npz"

    @property
    def shards(self) -> list[Path]:
        """All of them, the real one last."""
        return [*(self.shard(part) for part in range(len(self.plan.chunks))), self.real]
