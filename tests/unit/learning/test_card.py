from __future__ import annotations

import json

import pytest

from kitwai.cli.main import main
from kitwai.learning.card import CARD, COST, card
from kitwai.registry.versions import champion, read_manifest


@pytest.fixture
def manifest(repository):
    models = repository / "include" / "models"
    return read_manifest(models, champion(models))


@pytest.mark.parametrize(
    ("parent", "words"),
    [
        (None, "It has no parent."),
        ("20200101-00000000", "20200101-00000000 was made by another Kitwai: not compared."),
    ],
)
def test_a_parent_that_cannot_be_read_is_named(manifest, parent, words):
    files = card({**manifest, "parent": parent}, None)
    assert words in files[CARD].decode()
    assert files[COST].startswith(b"\x89PNG")


def test_training_goes_on_from_the_champion_of_an_older_kitwai(repository, tmp_path, capsys):
    """After an update the champion may be of no use: that must not cost what was trained."""
    old = tmp_path / "20200101-00000000"
    old.mkdir()
    (old / "manifest.json").write_text(json.dumps({"version": old.name, "prior": "older"}))
    (tmp_path / "champion").write_text(f"{old.name}\n")
    assert main(["train", "--out", str(tmp_path), "--rounds", "2"]) == 0
    version = capsys.readouterr().out.split()[0]
    assert read_manifest(tmp_path, version)["parent"] == old.name
    assert "another Kitwai" in (tmp_path / version / CARD).read_text()
