"""`observe.log_lines`: which logger, level and memory a line tells of."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitwai.observe.log_lines import FEATURES, LEVELS, LogCounts, count_lines, logger_name


def counted(*lines: str) -> LogCounts:
    counts = LogCounts()
    count_lines("".join(f"{line}\n" for line in lines).encode(), counts)
    return counts


def found(line: str) -> tuple[str, str] | None:
    """The feature and level that one line counts for."""
    counts = counted(line)
    assert counts.lines == 1
    assert counts.unparsed == 1 - sum(counts.levels.values())
    names = [name for name, count in counts.features.items() if count]
    return (names[0] if names else "", *counts.levels) if counts.levels else None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # Spark 1 to 4, as it is shipped.
        ("17/06/09 20:10:40 INFO spark.SecurityManager: Changing", ("SecurityManager", "INFO")),
        ("26/01/01 10:00:00 WARN Utils: Your hostname", ("Utils", "WARN")),
        ("2022-09-27 17:41:52,125 INFO spark.SparkContext: Running", ("SparkContext", "INFO")),
        ("23/11/07 10:59:24.335 main INFO SparkContext: Submitted", ("SparkContext", "INFO")),
        (
            "23/11/07 11:00:25.1 Executor task launch worker for task 0.0 in stage 0.0 (TID 0) "
            "ERROR TorrentBroadcast: lost",
            ("TorrentBroadcast", "ERROR"),
        ),
        ("2018-05-29 10:00:00 INFO  SparkContext:54 - Running", ("SparkContext", "INFO")),
        # Own layouts.
        ("2024-01-01T10:00:00.123Z [main] INFO  o.a.s.SparkEnv - Reg", ("SparkEnv", "INFO")),
        ("2024-01-01 10:00:00,123 INFO  [main] o.a.s.SparkEnv: x", ("SparkEnv", "INFO")),
        ("[2024-01-01 10:00:00,123] INFO  org.apache.spark.SparkEnv (12): x", None),
        ("[2024-01-01 10:00:00,123] [INFO] [main] SparkEnv(12): x", ("SparkEnv", "INFO")),
        ("INFO [2024-01-01 10:00:00,123] org.apache.spark.SparkEnv: x", ("SparkEnv", "INFO")),
        ("2024-01-01 10:00:00+01:00 DEBUG SparkEnv: x", ("SparkEnv", "DEBUG")),
        # Behind the header of a second logger.
        (
            "16/08/10 13:16:44 INFO client.Reader: 16/08/10 13:16:44 WARN spark.SparkEnv: x",
            ("SparkEnv", "WARN"),
        ),
        (
            "[2024-01-01T10:00:00.000+0000] {spark_submit.py:634} INFO - 24/01/01 10:00:00 INFO "
            "SparkUI: Bound",
            ("SparkUI", "INFO"),
        ),
        ("16/08/10 13:16:44 INFO client.Reader: plain output", ("", "INFO")),
        # The rule for names.
        (
            "26/01/01 10:00:00 INFO CoarseGrainedSchedulerBackend$DriverEndpoint: Registered",
            ("CoarseGrainedSchedulerBackend", "INFO"),
        ),
        ("26/01/01 10:00:00 INFO util.log: Logging initialized", ("Log", "INFO")),
        (
            "26/01/01 10:00:00 INFO cluster.StandaloneSchedulerBackend: Connected",
            ("StandaloneScheduler", "INFO"),
        ),
        ("26/01/01 10:00:00 INFO MySparkContext: no feature", ("", "INFO")),
        ("26/01/01 10:00:00 INFO TaskSetManager: 12/01/01 is none", ("TaskSetManager", "INFO")),
        # JSON: Spark 4's order, another, log4j's and Elastic's names.
        ('{"ts":"x","level":"INFO","msg":"m","context":{"a":"b"},"logger":"SparkContext"}',
         ("SparkContext", "INFO")),
        ('{"logger":"a.b.SparkEnv$","msg":"say \\"logger\\":\\"X\\"}","level":"WARN"}',
         ("SparkEnv", "WARN")),
        ('{"instant":{"epochSecond":1},"level":"ERROR","loggerName":"org.x.SparkUI","message":"m"}',
         ("SparkUI", "ERROR")),
        ('{"@timestamp":"x","log.level":"INFO","log.logger":"x.SparkUI","message":"m"}',
         ("SparkUI", "INFO")),
        # No header.
        ("", None),
        ("Pi is roughly 3.14", None),
        ("\tat org.apache.spark.scheduler.Task.run(Task.scala:1)", None),
        ("INFO SparkContext: no time", None),
        ("26/01/01 10:00:00 INFO no colon after the class", None),
        ("26/01/01 10:00:00 NOTICE SparkEnv: no level", None),
        ('{"ts":"x","level":"INFO","msg":"cut off', None),
        ('{"level":"LOUD","logger":"SparkContext"}', None),
        ('{"level":1,"logger":["SparkContext"]}', None),
        ("{" * 100_000, None),
    ],
)  # fmt: skip
def test_lines(line, expected):
    assert found(line) == expected


@pytest.mark.parametrize(
    ("line", "action", "transformation"),
    [
        ("MemoryStore: Block b stored as values in memory (estimated size 1.5 KiB, free 1 B)",
         1536, 0),
        ("MemoryStore: Block b stored as bytes in memory (estimated size 281.6 KB, free 317.0 KB)",
         288358, 0),
        ("MemoryStore: Block b stored as bytes to memory (size 3 MB, free 4 MB)", 3 * 2**20, 0),
        ("MemoryStore: Block b stored as values in memory (estimated size 2.0 TiB, free 1 B)",
         2 * 2**40, 0),
        ("MemoryStore: MemoryStore started with capacity 366.3 MB", 0, 0),
        ("BlockManagerInfo: Added b in memory on h:1 (size: 107.0 B, free: 366.3 MiB)", 0, 107),
        ("BlockManagerInfo: Added b on disk on h:1 (size: 107.0 B)", 0, 0),
        ("BlockManagerInfo: Removed b on h:1 in memory (size: 107.0 B, free: 366.3 MiB)", 0, 0),
        ("Other: Block b stored as values in memory (estimated size 1.5 KiB, free 1 B)", 0, 0),
    ],
)  # fmt: skip
def test_memory(line, action, transformation):
    logger, _, message = line.partition(": ")
    for text in (
        f"26/01/01 10:00:00 INFO {line}",
        f"2026-01-01T10:00:00 [main] INFO {logger} - {message}",
        f"26/01/01 10:00:00 INFO a.Reader: 26/01/01 10:00:00 INFO {line}",
        json.dumps({"ts": "x", "level": "INFO", "msg": message, "logger": logger}),
        json.dumps(
            {"ts": "x", "level": "INFO", "msg": message, "logger": logger}, separators=(",", ":")
        ),
    ):
        counts = counted(text, text)
        assert counts.action_bytes == pytest.approx(2 * action, abs=1)
        assert counts.transformation_bytes == 2 * transformation


def test_there_are_34_features():
    assert len(FEATURES) == len(set(FEATURES)) == 34
    assert [logger_name(f"org.apache.spark.{name}$Inner") for name in FEATURES] == list(FEATURES)


LINES = st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8")), max_size=20)
PIECES = st.sampled_from(
    ["26/01/01 10:00:00", "2026-01-01T10:00:00,123", "INFO", "[WARN]", " ", ": ", " - ", "SparkEnv",
     "a.b.Utils$C", "[main]", "MemoryStore", "Block b stored as x in memory (estimated size ",
     "1.5 KiB", "9" * 40, '{"ts":"', '","level":"', '","msg":"', '","logger":"', '"}', "{", "\\",
     '"', "\r", "é", "\x00", "x" * 400]
)  # fmt: skip


@given(LINES)
def test_any_text_is_counted_and_never_fatal(lines):
    counts = counted(*lines)
    assert counts.lines == len(lines)
    assert counts.lines == counts.unparsed + sum(counts.levels.values())


@given(st.lists(st.lists(PIECES, max_size=14).map("".join), max_size=8))
def test_broken_headers_are_counted_and_never_fatal(lines):
    counts = counted(*lines)
    assert counts.lines == len(lines)
    assert counts.lines == counts.unparsed + sum(counts.levels.values())
    assert sum(counts.features.values()) <= sum(counts.levels.values())


@given(st.binary())
def test_any_bytes_are_counted_and_never_fatal(data):
    counts = LogCounts()
    count_lines(data + b"\n", counts)
    assert counts.lines == data.count(b"\n") + 1


@given(
    st.sampled_from(LEVELS),
    st.sampled_from(FEATURES),
    st.text(st.characters(exclude_characters="\n", codec="utf-8")),
)
def test_both_layouts_agree_whatever_the_message(level, logger, message):
    record = {
        "ts": "x",
        "level": level,
        "msg": message,
        "context": {"m": message},
        "logger": logger,
    }
    for line in (
        json.dumps(record),
        json.dumps(record, separators=(",", ":"), ensure_ascii=False),
        f"26/01/01 10:00:00 {level} {logger}: m{message}",
    ):
        counts = counted(line)
        assert (counts.loggers, counts.levels) == ({logger: 1}, {level: 1})
