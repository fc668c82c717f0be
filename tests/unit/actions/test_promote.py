"""The champion moved by hand: every way puts it on record, or says that it could not."""

from __future__ import annotations

import pytest

from champions import refused_verdicts, three_champions, verdicts_told
from kitwai.actions.promote import Change, change_champion, promotion, return_to_former
from kitwai.cli.main import main
from kitwai.errors import PromotionError
from kitwai.registry.versions import champion, promote
from kitwai.store.store import Store


@pytest.fixture
def root(tmp_path, monkeypatch):
    folder = three_champions(tmp_path / "models")
    monkeypatch.setenv("AIRFLOW__KITWAI__MODELS", str(folder))
    return folder


@pytest.fixture
def store(tmp_path, monkeypatch):
    made = Store(f"sqlite:///{tmp_path / 'kitwai.db'}")
    monkeypatch.setenv("AIRFLOW__KITWAI__STORE", str(made.engine.url))
    return made


@pytest.fixture
def broken(monkeypatch):
    with refused_verdicts(monkeypatch) as mend:
        yield mend


def test_a_change_moves_the_champion_and_is_on_record(root, store):
    change = promotion(root, "v1")
    assert change_champion(root, change, lambda: store.engine, by="Ann", run_id="run") is None
    assert champion(root) == "v1"
    assert verdicts_told(store) == [("v1", "v3", "promoted", "By hand, instead of v3, by Ann.")]
    assert change_champion(root, promotion(root, "v1"), lambda: store.engine) is None
    assert len(verdicts_told(store)) == 1
    back = return_to_former(root)
    assert change_champion(root, back, lambda: store.engine) is None
    assert verdicts_told(store)[1:] == [("v3", "v1", "rolled back", "By hand, instead of v1.")]


def test_a_change_that_another_overtook_moves_nothing(root, store):
    back = return_to_former(root)
    promote(root, "v1", "v3")
    with pytest.raises(PromotionError, match="the champion is v1 by now, no longer v3"):
        change_champion(root, back, lambda: store.engine)
    assert champion(root) == "v1"
    assert verdicts_told(store) == []


def test_a_change_done_again_is_recorded_only(root, store, broken):
    back = return_to_former(root)
    untold = change_champion(root, back, lambda: store.engine)
    assert "v2 is the champion now, instead of v3, but the store has no record" in str(untold)
    broken()
    assert change_champion(root, back, lambda: store.engine) is None
    assert champion(root) == "v2"
    assert verdicts_told(store) == [("v2", "v3", "rolled back", "By hand, instead of v3.")]


def test_the_command_puts_its_changes_on_record(root, store, capsys):
    assert main(["models", "promote", "v1"]) == 0
    assert main(["models", "rollback"]) == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("v1 is the champion.\nv3 is the champion again.\n", "")
    by = "by the command line."
    assert verdicts_told(store) == [
        ("v1", "v3", "promoted", f"By hand, instead of v3, {by}"),
        ("v3", "v1", "rolled back", f"By hand, instead of v1, {by}"),
    ]


@pytest.mark.parametrize("url", ["sqlite:////dev/null/kitwai.db", "no database"])
def test_the_command_warns_where_the_store_cannot_tell(root, url, monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW__KITWAI__STORE", url)
    assert main(["models", "rollback"]) == 0
    assert champion(root) == "v2"
    shown = capsys.readouterr()
    assert shown.out == "v2 is the champion again.\n"
    (line,) = shown.err.splitlines()
    assert line.startswith("kitwai: warning: v2 is the champion now, instead of v3, but the store")


def test_a_change_is_named(root):
    assert promotion(root, "v1") == Change("v1", "v3", "promoted")
    assert return_to_former(root) == Change("v2", "v3", "rolled back")
