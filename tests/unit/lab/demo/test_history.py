"""What the demo makes known of a run, by the users' commands."""

from __future__ import annotations

import pytest

from kitwai.registry.history_file import parse_history, read_history
from kitwai_lab.demo.claim import DemoError
from kitwai_lab.demo.history import forget_all, learn
from places import DATA


def families(history):
    return parse_history(read_history(history), history)


def test_a_finished_application_becomes_a_past_run(tmp_path):
    history, said = tmp_path / "history.json", []
    forget_all(history)
    assert families(history) == {}
    learn(DATA / "event_logs" / "wide-16.gz", tmp_path / "profiles", history, said.append)
    ((run,),) = families(history).values()
    assert run.inputs == {"size": 16.0}
    assert [line.split()[:3] for line in said] == [
        ["$", "kitwai", "profile"],
        ["$", "kitwai", "history"],
    ]


def test_what_gives_no_profile_ends_the_demo(tmp_path):
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "app-1").write_text("no event log\n")
    with pytest.raises(DemoError, match=r"`kitwai profile` failed: kitwai: .* gives no profile"):
        learn(tmp_path / "events", tmp_path / "profiles", tmp_path / "h.json", lambda _: None)
