"""Counts the lines of a Spark driver log by logger and level, and the memory that they tell of.

It works on whole blocks of bytes, because a log may hold gigabytes. One regular expression goes
over a block with one match a line, and equal lines are counted together. It is pure;
`kitwai.observe.driver_log` reads the files.

Layouts understood:

- log4j patterns that name a logger and begin with a date and a time, or with the level. These are
  the patterns of Spark 1 to 4 and common variants: thread, class with line number, level in
  brackets, `` - `` for the colon. They may stand behind the header of a second logger, as Airflow's
  SparkSubmitHook writes them.
- JSON, one object a line: Spark 4's structured logging, and layouts with the same fields under the
  names of log4j or Elastic. A line in Spark's own JSON layout is recognised by its first fields and
  its last field. The fields between are not checked, as that would double the time.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

FEATURES = (
    "SparkContext",
    "SecurityManager",
    "Utils",
    "SparkEnv",
    "BlockManagerMasterEndpoint",
    "DiskBlockManager",
    "MemoryStore",
    "Log",
    "Server",
    "AbstractConnector",
    "ContextHandler",
    "SparkUI",
    "StandaloneAppClient",
    "TransportClient",
    "StandaloneScheduler",
    "NettyBlockTransferService",
    "BlockManager",
    "BlockManagerMaster",
    "EventLoggingListener",
    "BlockManagerInfo",
    "FileInputFormat",
    "CoarseGrainedSchedulerBackend",
    "DAGScheduler",
    "TaskSchedulerImpl",
    "TaskSetManager",
    "MapOutputTrackerMasterEndpoint",
    "MapOutputTrackerMaster",
    "TransportClientFactory",
    "ApplicationName",
    "TorrentBroadcast",
    "MapPartitionsRDD",
    "ContextCleaner",
    "OutputCommitCoordinator",
    "ShutdownHookManager",
)
"""The loggers whose lines are counted, in the original system's order."""

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")

ACTION, TRANSFORMATION = "MemoryStore", "BlockManagerInfo"
"""The loggers whose lines tell of memory."""

_ALIASES = {"log": "Log", "StandaloneSchedulerBackend": "StandaloneScheduler"}
_FEATURES = frozenset(FEATURES)
_UNITS: dict[str, int] = {
    prefix: 1024**power for power, prefix in enumerate(("", "K", "M", "G", "T", "P", "E"))
}


@dataclass(slots=True)
class LogCounts:
    """Counts of lines.

    ``loggers``: lines by logger (`logger_name`), only the loggers of `FEATURES`; ``levels``: lines
    by level; ``unparsed``: lines without a logger, such as program output, stack traces or broken
    lines; ``tenths``: tenths of a byte by the logger that told of them.
    """

    lines: int = 0
    unparsed: int = 0
    loggers: Counter[str] = field(default_factory=Counter)
    levels: Counter[str] = field(default_factory=Counter)
    tenths: Counter[str] = field(default_factory=Counter)

    @property
    def features(self) -> dict[str, int]:
        """Lines of each of the 34 loggers, in their order."""
        return {name: self.loggers[name] for name in FEATURES}

    @property
    def action_bytes(self) -> int:
        """m_a: bytes that the driver's memory store has taken in."""
        return (self.tenths[ACTION] + 5) // 10

    @property
    def transformation_bytes(self) -> int:
        """m_t: bytes that block managers have added in memory."""
        return (self.tenths[TRANSFORMATION] + 5) // 10


def logger_name(logger: str) -> str:
    """The last part of a logger's class name up to ``$``, under its alias."""
    name = logger.rpartition(".")[2].partition("$")[0]
    return _ALIASES.get(name, name)


# The parts of a header, each bounded so that no line takes long.
_NAMES = f"(?:{'|'.join(LEVELS)})"
_LEVEL = rf"\[?{_NAMES}\]?"
_TIME = (
    r"\[?\d{2,4}[-/.]\d\d[-/.]\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
    r"(?:Z|[ ]?[+-]\d\d:?\d\d|[ ]UTC)?\]?,?"
)
# A thread, or the header of an outer logger that names no class, as Airflow's does.
_THREAD = r"(?:[^\n]{1,120}?[ ])??"
_BETWEEN = r"[ ]+(?:\[[^\]\n]{0,120}\][ ]*|-[ ]+){0,3}"
_CLASS = r"[A-Za-z_][\w.$-]{0,300}"
# The text between the class and the message, perhaps with the line number in the class.
_AFTER = r"(?::\d{1,7}|\(\d{1,7}\))?[ ]{0,60}(?::(?!\S)|-(?!\S))"
_HEADER = rf"{_TIME}[ ]+{_THREAD}({_LEVEL}{_BETWEEN}{_CLASS}){_AFTER}"
_MEMORY = (
    r"(?:Block[ ]\S{1,300}[ ]stored[ ]as[ ]\w+[ ](?:in|to)[ ]memory[ ]\((?:estimated[ ])?size"
    r"|Added[ ]\S{1,300}[ ]in[ ]memory[ ]on[ ]\S{1,300}[ ]\(size:)"
    r"[ ](\d{1,15}(?:\.\d{1,6})?[ ][KMGTPE]?)i?B"
)
_JSON = (
    rf'\{{"ts":"[^"\n]{{0,60}}","level":"({_NAMES})","msg":"(?:{_MEMORY})?[^\n]*'
    r',"logger":"([^"\\\n]{1,300})"\}\r?(?=\n)'
)
# The same as _HEADER, for the layouts that Spark has by itself: three times as fast.
_USUAL = (
    r"\d\d(?:\d\d)?[-/]\d\d[-/]\d\d[ ]\d\d:\d\d:\d\d(?:[.,]\d{3})?[ ](?:[^\n ]{1,60}[ ])??"
    r"((?:INFO|WARN|ERROR|DEBUG)[ ][\w.$]+):[ ]"
)
_LINE = re.compile(
    rf"(?:{_USUAL}(?:{_USUAL})?(?![ ]*\[?\d\d)(?:{_MEMORY})?"
    rf"|{_JSON}|{_HEADER}(?:[ ]+{_HEADER})?(?:[ ]+{_MEMORY})?"
    rf"|((?:\{{|{_LEVEL}[ ]+{_TIME}[ ])[^\n]*))?[^\n]*\n".encode()
)
_LEVEL_FIRST = re.compile(
    rf"({_LEVEL}[ ]+{_TIME}{_BETWEEN}{_CLASS}){_AFTER}(?:[ ]+{_MEMORY})?", re.ASCII
)
_MESSAGE = re.compile(_MEMORY, re.ASCII)
_HEADER_ENDS = re.compile(r"\[?([A-Z]+).*?([\w.$-]+)", re.ASCII)

_JSON_FIELDS = (
    ("level", "log.level"),
    ("logger", "loggerName", "logger_name", "log.logger"),
    ("msg", "message"),
)


def count_lines(block: bytes, counts: LogCounts) -> None:
    """Add the lines of ``block``, which all end with a newline, to ``counts``."""
    for groups, times in Counter(_LINE.findall(block)).items():
        usual, usual_inner, size, level, json_size, logger, header, inner, other_size, rest = groups
        counts.lines += times
        text = inner or header or usual_inner or usual
        if text:
            line = _of_header(text)
            size = size or other_size
        elif level:
            line = level.decode(), logger_name(logger.decode("utf-8", "replace"))
            size = json_size
        elif rest:
            line, size = _of_rest(rest.decode("utf-8", "replace"))
        else:
            line = None
        if line is None:
            counts.unparsed += times
            continue
        level_name, name = line
        counts.levels[level_name] += times
        if name in _FEATURES:
            counts.loggers[name] += times
            if size and name in (ACTION, TRANSFORMATION):
                # In whole tenths: a sum of floats would depend on how a log is cut into blocks.
                counts.tenths[name] += _tenths(size) * times


@lru_cache(maxsize=4096)
def _of_header(header: bytes) -> tuple[str, str] | None:
    """Level and logger of the part of a header from the level to the logger."""
    ends = _HEADER_ENDS.fullmatch(header.decode("ascii", "replace"))
    return None if ends is None else (ends[1], logger_name(ends[2]))


@lru_cache(maxsize=16384)
def _tenths(size: bytes) -> int:
    number, _, prefix = size.decode().partition(" ")
    return round(float(number) * 10) * _UNITS[prefix]


def _of_rest(line: str) -> tuple[tuple[str, str] | None, bytes]:
    """Level and logger, and a size, of a line that is rare: level first, or other JSON."""
    if not line.startswith("{"):
        match = _LEVEL_FIRST.match(line)
        if match is None:
            return None, b""
        return _of_header(match[1].encode()), (match[2] or "").encode()
    try:
        record: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None, b""
    level, logger, message = (
        next((record[key] for key in keys if isinstance(record.get(key), str)), None)
        for keys in _JSON_FIELDS
    )
    if level not in LEVELS or not logger:
        return None, b""
    memory = _MESSAGE.match(message or "")
    return (level, logger_name(logger)), memory[1].encode() if memory else b""
