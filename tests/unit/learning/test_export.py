"""A version made of a trained network: its name, its manifest, a parent of an older Kitwai."""

from __future__ import annotations

import dataclasses
import json

import pytest

from kitwai.core.policy.policy import KNOWLEDGE
from kitwai.learning.export import Network, Origin, export
from kitwai.learning.network import build_network
from kitwai.learning.selection import Selection
from kitwai.learning.train import Trained
from kitwai.learning.training_config import TrainingConfig
from kitwai.registry.history_file import history_text
from kitwai.registry.versions import CARD, champion, verify, versions

CONFIG = TrainingConfig(seed=4, hidden=8)
DOUBTS = {name: "the network abstains." for name in KNOWLEDGE}
SELECTION = Selection(dict.fromkeys(KNOWLEDGE, False), DOUBTS, {})
ORIGIN = Origin(command="a command", data={"source": "a test"}, grid={"N": [2], "T_s": [60.0]})


@pytest.fixture(scope="module")
def network() -> Network:
    trained = Trained(build_network(8), losses=(0.5, 0.25), steps=100, updates=48, seconds=1.26)
    return Network.of(trained)


@pytest.mark.slow
def test_the_manifest_says_where_a_version_comes_from(tmp_path, network):
    origin = dataclasses.replace(
        ORIGIN, day="20260131", interval=(None, "2026-02-01T00:00:00+00:00")
    )
    version = export(tmp_path, network, CONFIG, SELECTION, origin)
    manifest = verify(tmp_path, version)
    assert version.startswith("20260131-")
    assert manifest["command"] == "a command"
    assert manifest["data"] == {"source": "a test"}
    assert manifest["data_interval"] == [None, "2026-02-01T00:00:00+00:00"]
    assert manifest["grid"] == {"N": [2], "T_s": [60.0]}
    assert manifest["losses"] == [0.5, 0.25]
    done = {"steps_done": 100, "updates_done": 48, "seconds": 1.3}
    assert manifest["training"] == dataclasses.asdict(CONFIG) | done
    assert (manifest["parent"], manifest["runs"]) == (None, {})


def test_the_name_follows_from_weights_past_runs_and_identity(tmp_path, network):
    origin = dataclasses.replace(ORIGIN, day="20260131")
    version = export(tmp_path, network, CONFIG, SELECTION, origin)
    before = (tmp_path / version / "manifest.json").read_bytes()
    again = dataclasses.replace(origin, command="another command")
    assert export(tmp_path, network, CONFIG, SELECTION, again) == version
    assert (tmp_path / version / "manifest.json").read_bytes() == before
    other = dataclasses.replace(origin, identity="another plan")
    names = {
        version,
        export(tmp_path, network, CONFIG, SELECTION, other),
        export(tmp_path, network, CONFIG, SELECTION, origin, runs=history_text({})),
    }
    assert versions(tmp_path) == sorted(names)
    assert len(names) == 3


def test_a_parent_of_an_older_kitwai_is_named_and_costs_nothing(tmp_path, network):
    """After an update the champion may be unreadable. The trained network must not be lost."""
    old = tmp_path / "20200101-00000000"
    old.mkdir()
    (old / "manifest.json").write_text(json.dumps({"version": old.name, "prior": "older"}))
    (tmp_path / "champion").write_text(f"{old.name}\n")
    origin = dataclasses.replace(ORIGIN, parent=champion(tmp_path))
    version = export(tmp_path, network, CONFIG, SELECTION, origin)
    assert verify(tmp_path, version)["parent"] == old.name
    assert "another Kitwai" in (tmp_path / version / CARD).read_text()
