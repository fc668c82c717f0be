"""A folder of what commands are given by mistake."""

from __future__ import annotations

import json

import pytest

from kitwai.store.store import Store


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with what commands are given by mistake, and small profiles that fit."""
    from kitwai.sim.synthetic import synthetic_profiles

    (tmp_path / "profiles").mkdir()
    small = sorted(synthetic_profiles(40, 3), key=lambda one: one.work_s)[:4]
    for at, profile in enumerate(small):
        (tmp_path / "profiles" / f"{at}.json").write_text(json.dumps(profile.to_dict()))
    for name in ("empty", "folder"):
        (tmp_path / name).mkdir()
    (tmp_path / "spoilt").mkdir()
    (tmp_path / "spoilt" / "a.json").write_text("{")
    (tmp_path / "file").write_text("no JSON")
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "some.json").write_text('{"constants": {"drain_s": {"median": 3}}}')
    (tmp_path / "huge.json").write_text(
        '{"families": {"a": [{"inputs": {}, "cores": 1e999, "stage_work_s": [1], '
        '"stage_tasks": [1], "gap_s": [0], "level": [1], "loss": [1]}]}}'
    )
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path / 'kitwai.db'}"
    Store(url)  # its migrations are logged
    monkeypatch.setenv("AIRFLOW__KITWAI__STORE", url)
    return tmp_path
