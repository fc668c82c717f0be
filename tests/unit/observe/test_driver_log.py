"""`observe.driver_log`: whole logs against awk's counts, and logs that grow, rotate and shrink."""

from __future__ import annotations

import gzip
import json
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import awk_count
from kitwai.cli.main import main
from kitwai.errors import InvalidInputError, SourceError
from kitwai.observe.driver_log import LineCounter, log_of, parse_log, read_on
from kitwai.observe.log_lines import FEATURES, LogCounts, count_lines
from places import SHARED

DATA = SHARED / "data"
LOGS = [
    DATA / "logs" / "Spark_2k.log",
    *sorted((DATA / "driver_logs").glob("*.log")),
    DATA / "driver_logs" / "pythonpi-3.0.1.md",
]
ENOUGH = 10**9


def line(number: int) -> str:
    return f"26/01/01 10:00:{number % 60:02} INFO DAGScheduler: line {number}\n"


def lines(*numbers: int) -> str:
    return "".join(map(line, numbers))


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the logs beside the repository")
@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_a_real_log_agrees_with_awk(path):
    awk = awk_count.awk_count(path)
    awk_count.compare(parse_log(str(path)), awk, FEATURES)
    assert (awk["wrapped"] > 100) == (path.name == "spark-pi-from-java.log")


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the logs beside the repository")
def test_a_log_behind_a_second_header_counts_as_the_log_itself():
    behind = parse_log(str(DATA / "driver_logs" / "spark-pi-from-java.log"))
    itself = parse_log(str(DATA / "driver_logs" / "spark-pi-from-java.unwrapped.log"))
    assert behind.features == itself.features
    assert (behind.action_bytes, behind.transformation_bytes) == (3001, 1169)


def test_an_unknown_kind_of_url_is_one_sentence():
    with pytest.raises(InvalidInputError, match="cannot be read"):
        parse_log("nosuch://bucket/driver.log")


def test_an_object_storage_path_is_read_like_a_file(tmp_path):
    path = tmp_path / "driver.log"
    path.write_text(lines(1, 2))
    assert parse_log(f"file://{path}").lines == 2
    first = read_on(f"file://{path}", None, max_bytes=ENOUGH)
    path.rename(tmp_path / "driver.log.1")
    path.write_text(lines(3))
    second = read_on(f"file://{path}", first, max_bytes=ENOUGH)
    assert (first.lines, second.lines) == (2, 3)


def test_a_log_that_grows(tmp_path):
    path = tmp_path / "driver.log"
    path.write_text(lines(1, 2) + "26/01/01 10:00:00 INFO DAGSch")
    first = read_on(str(path), None, max_bytes=ENOUGH)
    assert (first.lines, first.complete) == (2, True)  # the unfinished line waits
    with path.open("a") as file:
        file.write("eduler: now whole\n" + line(3))
    second = read_on(str(path), first, max_bytes=ENOUGH)
    assert (second.lines, second.features["DAGScheduler"], second.unparsed) == (4, 4, 0)
    assert read_on(str(path), second, max_bytes=ENOUGH) == second


@pytest.mark.parametrize("packed", [False, True])
def test_a_log_that_was_rotated_twice_since(tmp_path, packed):
    path = tmp_path / "driver.log"
    path.write_text(lines(*range(100)))
    first = read_on(str(path), None, max_bytes=ENOUGH)
    with path.open("a") as file:
        file.write(lines(100, 101) + "no newline at its end")
    old = tmp_path / ("driver.log.2.gz" if packed else "driver.log.2")
    old.write_bytes(gzip.compress(path.read_bytes()) if packed else path.read_bytes())
    (tmp_path / "driver.log.1").write_text(lines(102, 103, 104))
    (tmp_path / "driver.logger").write_text(lines(1))  # another log
    path.write_text(lines(105))
    now = time.time()
    for age, name in ((30, old.name), (20, "driver.log.1"), (0, "driver.log")):
        os.utime(tmp_path / name, (now - age, now - age))
    second = read_on(str(path), first, max_bytes=ENOUGH)
    assert (second.lines, second.unparsed, second.complete) == (107, 1, True)
    # Whoever comes late reads all that is left, and in pieces the same.
    assert read_on(str(path), None, max_bytes=ENOUGH) == second
    pieces = None
    for _ in range(200):
        pieces = read_on(str(path), pieces, max_bytes=100)
    assert pieces == second


@pytest.mark.parametrize("count", [1, 500])
def test_a_log_that_was_cut_and_written_anew(tmp_path, count):
    path = tmp_path / "driver.log"
    path.write_text(lines(*range(100)))
    first = read_on(str(path), None, max_bytes=ENOUGH)
    path.write_text(lines(*range(1000, 1000 + count)))
    assert read_on(str(path), first, max_bytes=ENOUGH).lines == 100 + count
    path.write_text("")
    emptied = read_on(str(path), first, max_bytes=ENOUGH)
    assert (emptied.lines, emptied.offset) == (100, 0)
    path.write_text(line(1))
    assert read_on(str(path), emptied, max_bytes=ENOUGH).lines == 101


def test_a_look_reads_no_more_than_it_may(tmp_path):
    path = tmp_path / "driver.log"
    path.write_text(lines(*range(1000)))
    first = read_on(str(path), None, max_bytes=1000)
    assert 0 < first.lines < 30
    assert not first.complete
    late = read_on(str(path), first, max_bytes=ENOUGH, deadline=time.monotonic() - 1)
    assert (late.lines, late.complete) == (first.lines, False)
    rest = read_on(str(path), late, max_bytes=ENOUGH)
    assert (rest.lines, rest.complete) == (1000, True)


def test_memory_is_unknown_where_nothing_tells_of_it(tmp_path):
    path = tmp_path / "driver.log"
    path.write_text(line(1))
    first = read_on(str(path), None, max_bytes=ENOUGH)
    assert first.action_bytes is first.transformation_bytes is None
    text = "26/01/01 10:00:00 INFO MemoryStore: Block {} stored as values in memory (estimated "
    with path.open("a") as file:
        for number in range(3):
            file.write(text.format(number) + "size 0.1 KiB, free 1 B)\n")
            seen = read_on(str(path), first, max_bytes=ENOUGH)
            file.flush()
    seen = read_on(str(path), seen, max_bytes=ENOUGH)
    assert seen.action_bytes == pytest.approx(3 * 102.4)
    assert seen.transformation_bytes is None


def test_a_line_without_an_end_takes_no_memory(tmp_path):
    path = tmp_path / "driver.log"
    with path.open("w") as file:
        file.write(line(1))
        file.write("26/01/01 10:00:00 INFO Utils: ")
        for _ in range(30):
            file.write("x" * 100_000)
    first = read_on(str(path), None, max_bytes=ENOUGH)
    assert (first.lines, first.features["Utils"], first.in_long_line) == (2, 1, True)
    with path.open("a") as file:
        file.write("26/01/01 10:00:00 INFO Utils: the same line\n" + line(2))
    second = read_on(str(path), first, max_bytes=ENOUGH)
    assert (second.lines, second.in_long_line) == (3, False)
    assert parse_log(str(path)).lines == 3


@pytest.mark.slow
def test_the_benchmark_counts_what_it_wrote(tmp_path, capsys):
    out = tmp_path / "figures.json"
    assert main(["bench", "log", "--megabytes", "8", "--json", str(out)]) == 0
    layouts = json.loads(out.read_text())["layouts"]
    assert set(layouts) == {"pattern", "json"}
    for one in layouts.values():
        assert one["mb"] > 5
        assert 0 < one["unparsed"] < 0.1 * one["lines"]
        assert one["mb_per_cpu_s"] > 0
    assert main(["bench", "log", "--megabytes", "0"]) == 1
    assert "--megabytes must lie in" in capsys.readouterr().err


def test_a_log_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(SourceError, match=r"The driver log .* cannot be read: No such file"):
        read_on(str(tmp_path / "driver.log"), None, max_bytes=ENOUGH)


def test_an_id_names_a_log_and_leads_nowhere_else():
    assert log_of("/logs/{id}.log", "app-1-0001") == "/logs/app-1-0001.log"
    for bad in ("../../etc/passwd", "a/b", "..", "a\x00", "s3://x"):
        with pytest.raises(SourceError, match="cannot be part"):
            log_of("/logs/{id}.log", bad)


@given(st.lists(st.sampled_from([line(1), "x\n", "\n", "é", "y" * 700, line(2)[:20]])), st.data())
def test_however_a_log_is_cut_the_counts_are_the_same(parts, data):
    text = "".join(parts).encode()
    whole = LogCounts()
    if text:
        count_lines(text if text.endswith(b"\n") else text + b"\n", whole)
    counter = LineCounter(LogCounts())
    at = 0
    while at < len(text):
        step = data.draw(st.integers(1, 1000))
        counter.feed(text[at : at + step])
        at += step
    counter.finish()
    assert counter.counts == whole
    assert counter.taken == len(text)
    assert counter.tail == text[-256:]
