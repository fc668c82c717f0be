"""The training DAG's tasks without Airflow: what they leave, and what killing them leaves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kitwai.core.policy.policy import TRUSTED
from kitwai.errors import CheckpointError, InvalidInputError, KitwaiError
from kitwai.learning import pipeline
from kitwai.learning.experience import Labelled
from kitwai.learning.partition import Plan
from kitwai.learning.shards import DEFINITION, nothing, read_shard, write_shard
from kitwai.registry.versions import (
    champion,
    load_policy,
    load_runs,
    promote,
    read_manifest,
    verify,
    versions,
)
from kitwai.sim.synthetic import synthetic_profiles
from kitwai.store.store import Store
from kitwai.store.training import Run, TrainingStore
from places import REPOSITORY, TESTS
from training_plan import DAY, FIRST, plan

SHIPPED = champion(REPOSITORY / "include" / "models")
STEPS = TESTS / "support" / "pipeline_steps.py"


def fill(store: TrainingStore) -> None:
    """Two applications on the first day, eight on the second, none on the third, one on the fourth;
    small ones, whose simulation is quick.
    """
    small = [one for one in synthetic_profiles(60, 22) if 100.0 < one.work_s < 1500.0]
    for at, profile in enumerate(small[:11]):
        began = FIRST + (0 if at < 2 else 1 if at < 10 else 3) * DAY + 1000.0 * at
        store.add_run(f"log-{at}", "1", Run(profile, began, began + 300.0))


@pytest.fixture(scope="module")
def trained(tmp_path_factory, repository):
    """Two days, trained from the first to the last, on the shipped champion."""
    root = tmp_path_factory.mktemp("trained")
    made = train_days(root, repository, [plan(0), plan(1)])
    return root, made


def train_days(root: Path, repository: Path, plans) -> list[dict]:
    shutil.copytree(repository / "include" / "models", root / "models")
    store = TrainingStore(Store(f"sqlite:///{root / 'kitwai.db'}").engine)
    fill(store)
    return [train_day(root, store, one) for one in plans]


def train_day(root: Path, store: TrainingStore, one: Plan) -> dict:
    partition = pipeline.plan_partition(store, one, root / "training")
    for part in range(len(one.chunks)):
        pipeline.collect_part(partition, part)
    pipeline.collect_recorded(partition, store)
    pipeline.train_partition(partition)
    judged = pipeline.evaluate_partition(partition, root / "models", "test")
    if judged["passed"]:
        promote(root / "models", judged["version"], judged["champion"])
    return judged


def some_state() -> Labelled:
    """One labelled state of zeros."""
    empty = nothing()
    return Labelled(
        *(
            np.zeros((1, *array.shape[1:]), dtype=array.dtype)
            for array in (getattr(empty, name) for name in Labelled.__slots__)
        )
    )


def files_of(root: Path, version: str) -> dict[str, str]:
    return read_manifest(root / "models", version)["files"]


@pytest.mark.slow
def test_a_day_gives_a_whole_version_with_its_lineage_and_card(trained):
    root, (first, _) = trained
    manifest = verify(root / "models", first["version"])
    assert first["version"].startswith("20241004-")
    assert manifest["data_interval"] == ["2024-10-04T00:00:00+00:00", "2024-10-05T00:00:00+00:00"]
    assert manifest["parent"] == SHIPPED
    assert len(manifest["data"]["interval_runs"]) == 2
    assert manifest["data"]["earlier_runs"] == []
    assert manifest["grid"] == {"N": [2, 6], "T_s": [120.0, 300.0]}
    assert sum(manifest["runs"].values()) == 2
    shards = manifest["data"]["shards"]
    assert [one["file"] for one in shards] == ["shard-00.npz", "shard-real.npz"]
    assert all(one["used"] for one in shards)
    assert {"this version", "nothing known"} < set(manifest["metrics"]["newest runs, disturbed"])
    assert np.shape(manifest["table"]["hit"]) == (2, 2)
    folder = root / "models" / first["version"]
    page = (folder / "card.md").read_text()
    for words in ("# 20241004-", "## What changed since its parent", "0 past runs known, now"):
        assert words in page
    for name in ("curve.png", "cost.png", "grid.png"):
        assert f"({name})" in page
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert set(manifest["files"]) >= {"card.md", "curve.png", "runs.json", "model.keras"}


@pytest.mark.slow
def test_the_next_day_knows_both_and_names_its_parent(trained):
    root, (first, second) = trained
    manifest = read_manifest(root / "models", second["version"])
    assert manifest["parent"] == first["version"]
    assert len(manifest["data"]["interval_runs"]) == 8
    assert len(manifest["data"]["earlier_runs"]) == 2
    known = load_runs(root / "models", second["version"])
    assert sum(map(len, known.values())) == 10
    assert champion(root / "models") == second["version"]
    assert second["passed"], second["reason"]


@pytest.mark.slow
def test_any_order_gives_the_same_versions_and_an_older_day_replaces_no_newer_champion(
    trained, tmp_path, repository
):
    root, (first, second) = trained
    late, early = train_days(tmp_path, repository, [plan(1), plan(0)])
    assert [early["version"], late["version"]] == [first["version"], second["version"]]
    for version in (first["version"], second["version"]):
        here, there = files_of(root, version), files_of(tmp_path, version)
        for name in ("weights.npz", "model.keras", "runs.json", "curve.png", "grid.png"):
            assert here[name] == there[name], name
    assert not early["passed"]
    assert "has learnt from data up to 2024-10-06" in early["reason"]
    assert champion(tmp_path / "models") == second["version"]


@pytest.mark.slow
def test_a_network_evaluated_again_is_the_same_version_and_replaces_nothing(trained):
    root, (_, second) = trained
    store = TrainingStore(Store(f"sqlite:///{root / 'kitwai.db'}").engine)
    before = (root / "models" / second["version"] / "manifest.json").read_bytes()
    partition = pipeline.plan_partition(store, plan(1), root / "training")
    again = pipeline.evaluate_partition(partition, root / "models", "test")
    assert again["version"] == second["version"]
    assert again["reason"] == "It is the champion already."
    assert (root / "models" / second["version"] / "manifest.json").read_bytes() == before


@pytest.mark.slow
def test_a_day_without_applications_has_nothing_to_train(trained):
    root, _ = trained
    store = TrainingStore(Store(f"sqlite:///{root / 'kitwai.db'}").engine)
    assert pipeline.plan_partition(store, plan(2), root / "training") is None
    assert pipeline.plan_partition(store, plan(3), root / "training") is not None


@pytest.mark.slow
def test_shards_of_other_features_are_left_out_and_counted(trained, tmp_path):
    root, _ = trained
    store = TrainingStore(Store(f"sqlite:///{root / 'kitwai.db'}").engine)
    partition = pipeline.plan_partition(store, plan(1, seed=5, parts=2), tmp_path)
    pipeline.collect_part(partition, 0)
    pipeline.collect_part(partition, 1)
    pipeline.collect_recorded(partition, store)
    first = partition.shard(0).with_suffix(".json")
    about = json.loads(first.read_text())
    first.write_text(json.dumps(about | {"features": ["of old"]}))
    made = pipeline.train_partition(partition)
    assert made["shards_not_used"] == 1
    assert made["states"] == sum(read_shard(partition.shard(1)).about["states"].values())
    for path in partition.shards:
        about = json.loads(path.with_suffix(".json").read_text())
        path.with_suffix(".json").write_text(json.dumps(about | {"label": "of old"}))
    with pytest.raises(InvalidInputError, match="clear the run's collect tasks"):
        pipeline.train_partition(partition)
    assert DEFINITION["label"] != "of old"


@pytest.mark.slow
def test_a_training_that_is_not_finite_is_refused_and_leaves_no_network(
    trained, tmp_path, monkeypatch
):
    root, _ = trained
    store = TrainingStore(Store(f"sqlite:///{root / 'kitwai.db'}").engine)
    partition = pipeline.plan_partition(store, plan(1), tmp_path)
    for path in partition.shards:
        write_shard(path, some_state(), some_state(), {})
    monkeypatch.setattr("kitwai.learning.train.fit_round", lambda *args: float("nan"))
    with pytest.raises(KitwaiError, match="not finite, and is not used"):
        pipeline.train_partition(partition)
    assert not (partition.folder / "weights.npz").exists()


@pytest.mark.slow
def test_a_missing_task_before_is_named(trained, tmp_path):
    root, _ = trained
    store = TrainingStore(Store(f"sqlite:///{root / 'kitwai.db'}").engine)
    partition = pipeline.plan_partition(store, plan(1), tmp_path)
    with pytest.raises(InvalidInputError, match="collect it again"):
        pipeline.train_partition(partition)
    with pytest.raises(InvalidInputError, match="run its train task again"):
        pipeline.evaluate_partition(partition, root / "models", "test")


# Killed at any point


class Steps:
    """Runs tasks of a training, each in a process that may be killed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, STEPS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )

    def run(self, root: Path, task: str, kill_at: int = 0, most_bytes: int = 0) -> tuple[int, str]:
        """The exit status of the task's process, and what it printed.

        The process kills itself before its ``kill_at``-th rename, or may write no file longer than
        ``most_bytes``.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        task_of = {"root": str(root), "task": task, "kill_at": kill_at, "most_bytes": most_bytes}
        self._process.stdin.write(f"{json.dumps(task_of)}\n")
        self._process.stdin.flush()
        status, output = json.loads(self._process.stdout.readline())
        return status, output

    def end(self) -> None:
        self._process.communicate(timeout=60)


@pytest.fixture(scope="module")
def steps():
    steps = Steps()
    yield steps
    steps.end()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_before_any_rename_a_task_leaves_nothing_half_and_can_be_repeated(
    trained, tmp_path, repository, steps
):
    root, (first, _) = trained
    shutil.copytree(repository / "include" / "models", tmp_path / "models")
    fill(TrainingStore(Store(f"sqlite:///{tmp_path / 'kitwai.db'}").engine))
    before = versions(tmp_path / "models")
    kills = 0
    for name in ("plan", "collect", "train", "evaluate", "promote"):
        at = 1
        while True:
            status, output = steps.run(tmp_path, name, kill_at=at)
            if status == 0:
                break
            assert status == -9, output
            kills, at = kills + 1, at + 1
            for version in versions(tmp_path / "models"):
                verify(tmp_path / "models", version)
            load_policy(tmp_path / "models")
            if name in ("plan", "collect", "train"):
                assert versions(tmp_path / "models") == before
    # Two files of the plan; two for each of two shards; three of the network; manifest and version;
    # history and champion.
    assert kills == 2 + 4 + 3 + 2 + 2
    assert versions(tmp_path / "models") == sorted([*before, first["version"]])
    here, there = files_of(tmp_path, first["version"]), files_of(root, first["version"])
    assert here == there
    assert champion(tmp_path / "models") == first["version"]


@pytest.mark.slow
def test_a_full_disk_leaves_no_version_and_says_so(trained, tmp_path, steps):
    root, (first, _) = trained
    shutil.copytree(root / "training", tmp_path / "training")
    fill(TrainingStore(Store(f"sqlite:///{tmp_path / 'kitwai.db'}").engine))
    (tmp_path / "models").mkdir()
    status, output = steps.run(tmp_path, "evaluate", most_bytes=20_000)
    assert status == 1
    assert "cannot be saved in" in output
    assert CheckpointError.__name__ in output
    assert list((tmp_path / "models").iterdir()) == []
    assert steps.run(tmp_path, "evaluate")[0] == 0
    assert versions(tmp_path / "models") == [first["version"]]
    assert set(TRUSTED) == set(load_policy(tmp_path / "models", first["version"]).trusted)
