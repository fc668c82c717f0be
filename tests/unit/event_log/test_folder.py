"""Folders of event logs: what is found, told apart from its neighbours, and counted right."""

from __future__ import annotations

import gzip
import io
import json
import os
from pathlib import Path

import pytest
import zstandard

from event_count import count
from event_writer import EVENT_LOGS, event, executor, job, task, two_jobs, write
from kitwai.cli.main import main
from kitwai.core.records.profile import load_profile
from kitwai.errors import InvalidInputError
from kitwai.event_log.folder import read_logs

OTHERS = sorted(path for path in EVENT_LOGS.rglob("*") if path.is_file())


def lines_of(path: Path) -> list[bytes]:
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    elif path.suffix == ".zstd":
        with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as stream:
            data = stream.read()
    return data.splitlines()


@pytest.mark.skipif(not OTHERS, reason="the event logs of others are not there")
@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.name)
def test_profiles_of_others_logs_agree_with_a_count_of_the_file(path, tmp_path, capsys):
    code = main(["profile", str(path), "--out", str(tmp_path)])
    errors = capsys.readouterr().err.splitlines()
    written = list(tmp_path.iterdir())
    # The one of these names is a tool's report about the log beside it.
    expected = None if path.suffix == ".json" else count(lines_of(path))
    if expected is None or expected.span_ms is None or expected.tasks == 0:
        assert (code, written) == (1, [])
        assert len(errors) == 1
        assert path.name in errors[0]
        return
    assert (code, errors) == (0, [])
    stages = load_profile(written[0]).stages
    assert len(stages) == expected.stages
    assert sum(len(stage.task_ms) for stage in stages) == expected.tasks
    assert sum(sum(stage.task_ms) for stage in stages) == expected.run_ms
    (log,) = [one for one in read_logs(path.parent) if one.source == str(path)]
    assert round(1_000 * (log.ended_at - log.started_at)) == expected.span_ms


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


def test_logs_are_found_in_subfolders_and_read_again_only_when_they_change(tmp_path):
    (tmp_path / "2026" / "01").mkdir(parents=True)
    (tmp_path / "2026" / "_SUCCESS").touch()
    (tmp_path / ".hidden").touch()
    old = write(tmp_path / "2026" / "01" / "log", *two_jobs())
    running = write(tmp_path / "app-2.inprogress", *two_jobs(), end=None)
    first = {log.source: log for log in read_logs(tmp_path)}
    assert first.keys() == {str(old), str(running)}
    assert (first[str(old)].started_at, first[str(old)].ended_at) == (1.0, 99.0)
    assert "is running or has died" in first[str(running)].reason
    known = {source: log.fingerprint for source, log in first.items()}
    assert [*read_logs(tmp_path, known)] == []
    write(running, *two_jobs())
    (again,) = read_logs(tmp_path, known)
    assert (again.source, again.reason) == (str(running), None)
    assert again.fingerprint != known[str(running)]


class Broken(io.BytesIO):
    """A file whose storage fails after some bytes."""

    def read(self, size=-1):
        if self.tell() > 0:
            raise TimeoutError("the storage does not answer")
        return super().read(min(size, 200))


def test_a_log_whose_storage_fails_is_read_again(tmp_path, monkeypatch):
    log = write(tmp_path / "log", *two_jobs())
    monkeypatch.setattr(Path, "open", lambda self, mode: Broken(b"{}" * 1_000))
    failed = only(tmp_path)
    assert "the storage does not answer" in failed.reason
    monkeypatch.undo()
    (again,) = read_logs(tmp_path, {str(log): failed.fingerprint})
    assert again.reason is None


def test_what_is_no_log_is_set_aside_and_the_others_are_read(tmp_path):
    write(tmp_path / "b", *two_jobs())
    (tmp_path / "a").write_text("once upon a time\n")
    os.mkfifo(tmp_path / "c")
    (tmp_path / "d").symlink_to(tmp_path / "nowhere")
    (tmp_path / "circle").symlink_to(tmp_path)
    found = {Path(log.source).name: log.reason for log in read_logs(tmp_path)}
    assert found.pop("b") is None
    assert found.pop("a") == "line 1 is no event of Spark"
    assert "no file" in found.pop("c")
    assert "does not exist" in found.pop("d")
    assert found.keys() <= {"circle"}


def test_a_name_in_a_reason_cannot_break_its_line(tmp_path):
    properties = {"spark.kitwai.inputs.size": "big\n\x1b[31mred"}
    write(tmp_path / "log", *two_jobs(), properties=properties)
    reason = only(tmp_path).reason
    assert "spark.kitwai.inputs.size" in reason
    assert reason.isprintable()


def test_names_hold_nothing_that_a_database_refuses(tmp_path):
    properties = {"spark.kitwai.inputs.si\0ze": "1"}
    log = write(tmp_path / "log", *two_jobs(), properties=properties)
    log.write_text(log.read_text().replace('"count"', '"co\\u0000unt"'))
    profile = only(tmp_path).profile
    assert (profile.family, profile.inputs) == ("count", {"size": 1})


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(InvalidInputError, match="does not exist"):
        next(read_logs(tmp_path / "nowhere"))


def test_an_application_whose_last_job_failed_says_so(tmp_path):
    begin, end = job(0, 2_000, 9_000, {0: []})
    failed = end | {"Job Result": {"Result": "JobFailed"}}
    write(tmp_path / "log", executor("1", 1_500), begin, task(0, 0, 3_000, 4_000), failed)
    log = only(tmp_path)
    assert (log.succeeded, len(log.profile.stages)) == (False, 1)


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


def test_stages_whose_jobs_start_is_lost_count(tmp_path):
    events = [
        executor("1", 1_500),
        event("StageSubmitted", **{"Stage Info": {"Stage ID": 4, "Submission Time": 2_000}}),
        task(4, 0, 2_100, 3_000),
        task(5, 0, 3_200, 4_000),
    ]
    write(tmp_path / "log", *events)
    stages = only(tmp_path).profile.stages
    assert [(stage.id, stage.parents, stage.gap_ms) for stage in stages] == [
        (4, (), 1_100),
        (5, (), 200),
    ]


def test_before_spark_3_3_a_later_attempt_counts_for_what_the_first_lacked(tmp_path):
    """It numbers its tasks anew and does not tell their partitions."""
    begin, end = job(0, 2_000, 9_000, {0: []})
    size = {"Stage ID": 0, "Submission Time": 2_000, "Number of Tasks": 3}
    later = [task(0, index, 5_000, 5_700 + 100 * index) for index in (0, 1)]
    for one in later:
        one["Stage Attempt ID"] = 1
    tasks = [task(0, 0, 2_100, 3_000), task(0, 1, 2_100, 3_100)]
    submitted = event("StageSubmitted", **{"Stage Info": size})
    write(tmp_path / "log", executor("1", 1_500), begin, submitted, *tasks, *later, end)
    assert only(tmp_path).profile.stages[0].task_ms == (900, 1_000, 700)


def test_json_is_what_load_profile_reads(tmp_path):
    write(tmp_path / "log", *two_jobs(), properties={"spark.kitwai.inputs.size": "2"})
    profile = only(tmp_path).profile
    assert main(["profile", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    assert load_profile(tmp_path / "out" / "log.json") == profile
    assert json.loads((tmp_path / "out" / "log.json").read_text())["stages"][0]["first_ms"]
