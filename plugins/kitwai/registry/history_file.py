"""Writes and reads the file of past runs, which ``kitwai history`` makes and decisions use."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kitwai.core.forecast.past_runs import Record
from kitwai.errors import InvalidInputError

MAX_BYTES = 256 * 2**20
_ARRAYS = ("stage_work_s", "stage_tasks", "gap_s", "level", "loss")


def history_text(history: Mapping[str, Sequence[Record]]) -> str:
    """The runs of each application as JSON. The same runs give the same text."""
    families = {
        name: [
            {"app": run.app, "inputs": dict(run.inputs), "cores": run.cores}
            | ({} if run.warm_up_s is None else {"warm_up_s": round(run.warm_up_s, 6)})
            | ({} if run.workers is None else {"workers": round(run.workers, 6)})
            | {array: np.round(getattr(run, array), 6).tolist() for array in _ARRAYS}
            for run in runs
        ]
        for name, runs in sorted(history.items())
    }
    return json.dumps({"format": 1, "families": families}, allow_nan=False)


def read_history(path: Path) -> bytes:
    """The content of a history, for `parse_history`.

    :raises InvalidInputError: the file is missing or too large.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidInputError(f"The history {path} is larger than {MAX_BYTES // 2**20} MiB.")
        return path.read_bytes()
    except OSError as error:
        raise InvalidInputError(
            f"The history {path} cannot be read: {error.strerror or error}."
        ) from error


def parse_history(content: bytes, path: Path) -> dict[str, tuple[Record, ...]]:
    """The runs by application, from a text of `history_text`.

    :param path: of the file, for the message.
    :raises InvalidInputError: the content is no such text.
    """
    try:
        families = json.loads(content)["families"]
        return {str(name): tuple(_record(run) for run in runs) for name, runs in families.items()}
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise InvalidInputError(
            f"{path} is not a history: make one with `kitwai history`."
        ) from error


def _record(data: dict[str, Any]) -> Record:
    arrays = {name: np.asarray(data[name], dtype=np.float64) for name in _ARRAYS}
    stages, counts = arrays["stage_work_s"].shape, arrays["level"].shape
    inputs = {str(name): float(value) for name, value in data["inputs"].items()}
    sound = (
        len(stages) == len(counts) == 1
        and stages[0] > 0
        and counts[0] > 0
        and arrays["stage_tasks"].shape == arrays["gap_s"].shape == stages
        and arrays["loss"].shape == counts
        and all(np.isfinite(array).all() for array in arrays.values())
        and all(math.isfinite(value) for value in inputs.values())
        and (arrays["stage_work_s"] > 0).all()
        and (arrays["stage_tasks"] >= 1).all()
        and (arrays["gap_s"] >= 0).all()
    )
    if not sound:
        raise ValueError("a run does not fit together")
    warm_up_s = data.get("warm_up_s")
    if warm_up_s is not None and not 0.0 <= float(warm_up_s) < math.inf:
        raise ValueError("a warm-up is no time")
    workers = data.get("workers")
    if workers is not None and not 0.0 < float(workers) < math.inf:
        raise ValueError("a worker count is no count")
    return Record(
        **arrays,
        inputs=inputs,
        cores=int(data["cores"]),
        app=str(data.get("app", "")),
        warm_up_s=None if warm_up_s is None else float(warm_up_s),
        workers=None if workers is None else float(workers),
    )
