"""Folders of event logs: what is found, told apart from its neighbours, and counted right."""

from __future__ import annotations

import gzip
import io
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


def only(folder: Path):
    (log,) = read_logs(folder)
    return log


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
