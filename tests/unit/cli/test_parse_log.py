"""`kitwai parse-log`: what a driver log tells, as JSON or as a sentence."""

from __future__ import annotations

import gzip
import json

import pytest

from kitwai.cli.main import main
from kitwai.observe.log_lines import FEATURES


def line(number: int) -> str:
    return f"26/01/01 10:00:{number % 60:02} INFO DAGScheduler: line {number}\n"


def lines(*numbers: int) -> str:
    return "".join(map(line, numbers))


def test_the_command_prints_the_agreed_json(tmp_path, capsys):
    log = tmp_path / "driver.log.1.gz"
    text = (
        "26/01/01 10:00:00 INFO MemoryStore: Block b stored as values in memory (estimated size "
        "1.5 KiB, free 434.4 MiB)\n"
        "26/01/01 10:00:00 WARN BlockManagerInfo: Added b in memory on h:1 (size: 2.0 KiB, free: "
        "1.0 MiB)\n"
        "Traceback (most recent call last):\n"
        "26/01/01 10:00:00 INFO Foreign: the last line has no end"
    )
    log.write_bytes(gzip.compress(text.encode()))
    assert main(["parse-log", str(log), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "lines": 4,
        "unparsed": 1,
        "features": dict.fromkeys(FEATURES, 0) | {"MemoryStore": 1, "BlockManagerInfo": 1},
        "levels": {"INFO": 2, "WARN": 1},
        "memory": {"action": 1536, "transformation": 2048},
    }
    assert main(["parse-log", str(log)]) == 0
    assert "4 lines, 1 of them without a logger; 2 INFO, 1 WARN" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (gzip.compress(b"x" * 10_000, mtime=0)[:30], "end-of-stream"),
        (b"\x1f\x8b no gzip", "compression method"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, capsys, content, words):
    log = tmp_path / "driver.log"
    if content is not None:
        log.write_bytes(content)
    assert main(["parse-log", str(log), "--json"]) == 1
    message = capsys.readouterr().err
    assert message.startswith(f"kitwai: The log {log} cannot be read: ")
    assert words in message
    assert message.count("\n") == 1
