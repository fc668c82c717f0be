"""The training DAG's tasks as plain functions: ingest, collect, train, evaluate.

Each task reads the files that the task before has left in the partition. It replaces its own files
whole, so that it can be killed and repeated at any moment. Only `train_partition` needs TensorFlow.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from kitwai.errors import InvalidInputError, KitwaiError
from kitwai.learning.partition import MOST_RUNS, Partition, Plan
from kitwai.learning.shards import nothing, read_shard, write_shard
from kitwai.store.files import replace_bytes, replace_text
from kitwai.store.training import TrainingStore

_WEIGHTS, _MODEL, _RECORD = "weights.npz", "model.keras", "trained.json"


def plan_partition(store: TrainingStore, plan: Plan, root: Path) -> Partition | None:
    """The partition of a run, with the runs known before its interval's end; None where no
    application has ended inside the interval.
    """
    runs = store.runs(0.0, plan.until, MOST_RUNS)
    if not any(run.ended_at >= plan.since for run in runs):
        return None
    return Partition.make(root, plan, runs)


def collect_part(partition: Partition, part: int) -> dict[str, Any]:
    """Simulate the experience of one part of the grid, and write it to the part's shard."""
    from kitwai.learning.collect import collect

    plan, runs = partition.plan, partition.runs()
    held, played = collect([run.profile for run in runs], plan, part)
    about = {
        "source": "simulator",
        "constraints": plan.chunks[part],
        "policy": "the forecast alone, with random targets",
        "seed": [plan.seed, int(plan.until), part],
        "profiles": [run.profile.app for run in runs],
    }
    sha256 = write_shard(partition.shard(part), held, played, about)
    return {"part": part, "states": len(held) + len(played), "sha256": sha256[:12]}


def collect_recorded(partition: Partition, store: TrainingStore) -> dict[str, Any]:
    """Label the steps that the autoscale DAG recorded in the interval, and write their shard."""
    from kitwai.learning.recorded_steps import label_steps

    plan = partition.plan
    states, counts = label_steps(store, partition.runs(), plan.since, plan.until)
    about = {"source": "autoscale DAG", "policy": "the champion of its time", "steps": counts}
    sha256 = write_shard(partition.recorded_shard, nothing(), states, about)
    return {"part": "real", "states": len(states), "steps": counts, "sha256": sha256[:12]}


def train_partition(partition: Partition) -> dict[str, Any]:
    """Train on the partition's shards. A shard made with other features or labels is left out.

    :raises InvalidInputError: a shard is missing or altered, or none fits; ``KitwaiError``: the
        training gave numbers that are not finite.
    """
    from kitwai.learning.experience_sources import ShardSource
    from kitwai.learning.export import Network
    from kitwai.learning.train import train

    shards = {path.name: read_shard(path) for path in partition.shards}
    fitting = [shard for shard in shards.values() if shard.fits]
    if not fitting:
        raise InvalidInputError(
            f"No shard in {partition.folder} was made with today's features: clear the run's "
            "collect tasks."
        )
    config = partition.plan.config
    trained = train(ShardSource(fitting, config), config)
    if trained.fault is not None:
        raise KitwaiError("The training gave numbers that are not finite, and is not used.")
    network = Network.of(trained)
    lineage = [
        {
            "file": name,
            "sha256": shard.about["sha256"],
            "states": shard.about["states"],
            "used": shard.fits,
            **({"steps": shard.about["steps"]} if "steps" in shard.about else {}),
        }
        for name, shard in shards.items()
    ]
    about = {
        name: value
        for name, value in dataclasses.asdict(network).items()
        if name not in ("weights", "model")
    }
    replace_bytes(partition.folder / _WEIGHTS, network.weights)
    replace_bytes(partition.folder / _MODEL, network.model)
    replace_text(partition.folder / _RECORD, json.dumps({"shards": lineage, "training": about}))
    return {
        "states": trained.steps,
        "shards_not_used": len(shards) - len(fitting),
        "loss": trained.losses[-1] if trained.losses else None,
    }


def evaluate_partition(partition: Partition, models: Path, command: str) -> dict[str, Any]:
    """Judge the trained network, save it as a version, and compare the version with the champion.

    :raises CheckpointError: the registry cannot be written; ``InvalidInputError``: the partition
        holds no trained network.
    """
    from kitwai.learning.evaluate import add_version, against_champion
    from kitwai.learning.export import Network

    folder, plan, runs = partition.folder, partition.plan, partition.runs()
    try:
        record = json.loads((folder / _RECORD).read_text())
        record["training"]["losses"] = tuple(record["training"]["losses"])
        network = Network(
            weights=(folder / _WEIGHTS).read_bytes(),
            model=(folder / _MODEL).read_bytes(),
            **record["training"],
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InvalidInputError(
            f"The folder {folder} holds no trained network: run its train task again."
        ) from error
    inside = [run.profile.app for run in runs if run.ended_at >= plan.since]
    lineage = {
        "source": "event logs",
        "interval_runs": inside,
        "earlier_runs": [run.profile.app for run in runs if run.ended_at < plan.since],
        "synthetic": {"seed": plan.seed},
        "shards": record["shards"],
    }
    version = add_version(models, plan, runs, network, lineage, command)
    judged = against_champion(models, plan, runs, version)
    return {
        "version": judged.version,
        "champion": judged.champion,
        "passed": judged.passed,
        "reason": judged.reason,
        "comparisons": [dataclasses.asdict(comparison) for comparison in judged.comparisons],
    }
