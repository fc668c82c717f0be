"""`kitwai history`: profiles become a file of past runs."""

from __future__ import annotations

from kitwai.cli.main import main


def test_the_file_of_past_runs_gets_its_folder(place, capsys):
    assert main(["history", "--profiles", "profiles", "--out", "new/deep/h.json"]) == 0
    assert "4 runs of 2 applications" in capsys.readouterr().out
    assert (place / "new" / "deep" / "h.json").is_file()
