"""Files that other processes read while they are written."""

from __future__ import annotations

import os
import stat

import pytest

from kitwai.store.files import replace_text


def test_replaced_file_is_readable_by_all_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "champion"
    for text in ("v1\n", "v2\n"):
        replace_text(path, text)
        assert path.read_text() == text
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_fault_keeps_the_old_file_and_leaves_nothing_beside(tmp_path, monkeypatch):
    path = tmp_path / "champion"
    replace_text(path, "v1\n")

    def full(_handle):
        raise OSError("The disk is full.")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        replace_text(path, "v2\n")
    assert path.read_text() == "v1\n"
    assert list(tmp_path.iterdir()) == [path]
