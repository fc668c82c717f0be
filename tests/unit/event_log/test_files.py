"""`event_log.files`: which files make up a log, in folders and in object storage."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from event_writer import executor, job, task, two_jobs, write
from kitwai.cli.main import main
from kitwai.event_log.folder import read_logs


def rolling(folder: Path, *parts: list[bytes], names: dict[int, str] | None = None) -> Path:
    """A rolling log ``eventlog_v2_app-1`` of such parts, each a list of lines."""
    log = folder / "eventlog_v2_app-1"
    log.mkdir(parents=True)
    (log / "appstatus_app-1").touch()
    for number, lines in enumerate(parts, start=1):
        name = (names or {}).get(number, f"events_{number}_app-1")
        (log / name).write_bytes(b"".join(line + b"\n" for line in lines))
    return log


def parts_of_a_log(tmp_path, count=12) -> list[list[bytes]]:
    lines = write(tmp_path / "whole", *two_jobs()).read_bytes().splitlines()
    size = -(-len(lines) // count)
    return [lines[at : at + size] for at in range(0, len(lines), size)]


def only(folder: Path):
    (log,) = read_logs(folder)
    return log


def test_a_rolling_log_is_read_in_the_order_of_its_numbers(tmp_path):
    parts = parts_of_a_log(tmp_path)
    assert len(parts) > 9  # by name, the tenth would come before the second
    (tmp_path / "single").mkdir()
    write(tmp_path / "single" / "log", *two_jobs())
    rolling(tmp_path / "logs", *parts)
    log = only(tmp_path / "logs")
    assert log.profile.stages == only(tmp_path / "single").profile.stages
    assert log.source.endswith("eventlog_v2_app-1")


def test_a_rolling_log_is_known_by_its_files_whatever_its_folder_is_called(tmp_path, capsys):
    log = rolling(tmp_path / "logs", *parts_of_a_log(tmp_path)).rename(tmp_path / "logs" / "mine")
    assert only(tmp_path / "logs").source == str(log)
    assert only(log).profile == only(tmp_path / "logs").profile
    assert main(["profile", str(log), "--out", str(tmp_path / "out")]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.json"]


@pytest.mark.parametrize("missing", [1, 2, 5])
def test_a_rolling_log_without_one_of_its_parts_is_set_aside(tmp_path, missing):
    log = rolling(tmp_path / "logs", *parts_of_a_log(tmp_path))
    (log / f"events_{missing}_app-1").unlink()
    assert "is missing" in only(tmp_path / "logs").reason


def test_a_rolling_log_without_its_last_part_has_no_end(tmp_path):
    rolling(tmp_path / "logs", *parts_of_a_log(tmp_path)[:-1])
    assert "not hold the end" in only(tmp_path / "logs").reason


def test_a_compacted_part_is_passed_over_where_what_it_stands_for_is_there(tmp_path):
    log = rolling(tmp_path / "logs", *parts_of_a_log(tmp_path))
    before = only(tmp_path / "logs").profile
    for name in ("events_3_app-1.compact", "events_4_app-1.compact.inprogress"):
        (log / name).write_text("")
        assert only(tmp_path / "logs").profile == before


def test_a_compacted_log_that_has_lost_a_job_is_set_aside(tmp_path):
    first, second = job(0, 2_000, 3_000, {0: []}), job(1, 4_000, 5_000, {1: []})
    events = [executor("1", 1_500), *first, second[0], task(1, 0, 4_100, 4_900), second[1]]
    whole = write(tmp_path / "whole", *events).read_bytes().splitlines()
    without = [line for line in whole if b'"Job ID":0' not in line]
    names = {1: "events_2_app-1.compact", 2: "events_3_app-1"}
    rolling(tmp_path / "kept", whole[:4], whole[4:], names=names)
    rolling(tmp_path / "lost", without[:4], without[4:], names=names)
    assert only(tmp_path / "kept").profile is not None
    assert "compacted" in only(tmp_path / "lost").reason


def test_object_storage_reads_like_a_folder(tmp_path):
    from airflow.sdk import ObjectStoragePath

    write(tmp_path / "a" / "log.gz", *two_jobs())
    rolling(tmp_path / "b", *parts_of_a_log(tmp_path))
    (tmp_path / "whole").unlink()
    there = [*read_logs(ObjectStoragePath(tmp_path.as_uri()))]
    here = [*read_logs(tmp_path)]
    assert [log.profile.stages for log in there] == [log.profile.stages for log in here]
    assert there[0].source == f"{tmp_path.as_uri()}/a/log.gz"
    known = {log.source: log.fingerprint for log in there}
    assert [*read_logs(ObjectStoragePath(tmp_path.as_uri()), known)] == []


def test_object_storage_without_folders_of_its_own_reads_too(tmp_path):
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import attach
    from fsspec.implementations.memory import MemoryFileSystem

    attach("memory", fs=MemoryFileSystem())
    there = ObjectStoragePath("memory://event-logs")
    whole = write(tmp_path / "log", *two_jobs()).read_bytes()
    for name, data in (("2026/01/a", whole), ("2026/b.gz", gzip.compress(whole)), ("c", b"no\n")):
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_bytes(data)
    found = [*read_logs(there)]
    assert [log.source for log in found] == [
        f"memory://event-logs/{name}" for name in ("2026/01/a", "2026/b.gz", "c")
    ]
    assert [log.reason for log in found] == [None, None, "line 1 is no event of Spark"]
