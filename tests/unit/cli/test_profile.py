"""`kitwai profile`: event logs become profiles."""

from __future__ import annotations

import json
from pathlib import Path

from event_writer import two_jobs, write
from kitwai.cli.main import main
from kitwai.core.records.profile import load_profile
from kitwai.event_log.folder import read_logs


def only(folder: Path):
    (log,) = read_logs(folder)
    return log


def test_profile_writes_one_file_a_log_and_names_those_that_give_none(tmp_path, capsys):
    for name in ("a", "b"):
        write(tmp_path / name / "log.gz", *two_jobs())
    (tmp_path / "bad").write_text("no log\n")
    out = tmp_path / "out" / "profiles"
    logs = [tmp_path / "a" / "log.gz", tmp_path / "b", tmp_path / "bad", tmp_path / "nowhere"]
    assert main(["profile", *map(str, logs), "--out", str(out)]) == 1
    assert sorted(path.name for path in out.iterdir()) == ["log-2.json", "log.json"]
    assert load_profile(out / "log.json").app == "app-1"
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 2
    assert [line.split(": ", 2)[2] for line in said.err.splitlines()] == [
        "line 1 is no event of Spark.",
        "it does not exist.",
    ]
    assert main(["profile", str(logs[0]), "--out", str(out)]) == 0


def test_profile_says_what_is_wrong_with_its_folder(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["profile", str(tmp_path), "--out", str(tmp_path / "file" / "x")]) == 1
    assert "cannot be made" in capsys.readouterr().err


def test_json_is_what_load_profile_reads(tmp_path):
    write(tmp_path / "log", *two_jobs(), properties={"spark.kitwai.inputs.size": "2"})
    profile = only(tmp_path).profile
    assert main(["profile", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    assert load_profile(tmp_path / "out" / "log.json") == profile
    assert json.loads((tmp_path / "out" / "log.json").read_text())["stages"][0]["first_ms"]
