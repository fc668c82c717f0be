"""Opening the database."""

from __future__ import annotations

import pytest

from kitwai.errors import StoreError
from kitwai.store.store import Store


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("no url at all", "cannot be used"),
        ("sqlite:////proc/nowhere/kitwai.db", "cannot be used"),
        ("postgresql+nodriver://u:secret@h/db", "cannot be used"),
    ],
)
def test_an_unusable_database_is_one_sentence_without_the_password(url, words):
    with pytest.raises(StoreError, match=words) as caught:
        Store(url)
    assert "secret" not in str(caught.value)
