from __future__ import annotations

import pytest

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
