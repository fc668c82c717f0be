from __future__ import annotations

import io
import json

import pytest

from event_count import count
from kitwai.cli.main import main
from kitwai_lab.bench.event_log import CODECS, measure_event_log, write_log


def test_the_log_of_the_benchmark_is_one_of_spark():
    file = io.BytesIO()
    tasks, size = write_log(file, 15_000_000)
    lines = file.getvalue().splitlines()
    counted = count(lines)
    assert (counted.tasks, counted.stages) == (tasks, tasks / 2_000)
    assert 15_000_000 <= size == len(file.getvalue()) < 24_000_000
    kinds = [json.loads(line)["Event"] for line in lines]
    assert kinds.count("SparkListenerTaskStart") == tasks
    assert kinds[-1] == "SparkListenerApplicationEnd"


@pytest.mark.slow
@pytest.mark.parametrize("codec", CODECS)
def test_reading_takes_no_more_memory_for_a_larger_log(codec):
    small, large = (measure_event_log(megabytes, codec) for megabytes in (5, 40))
    assert large["tasks"] > 4 * small["tasks"]
    # A task is kept in some 150 bytes.
    assert large["peak_mb"] - small["peak_mb"] < 20


def test_the_command_writes_its_figures(tmp_path, capsys):
    assert main(["bench", "eventlog", "--mb", "5", "--json", str(tmp_path / "figures.json")]) == 0
    assert "MB/s a core" in capsys.readouterr().out
    assert json.loads((tmp_path / "figures.json").read_text())["mb"] >= 5
    assert main(["bench", "eventlog", "--mb", "0"]) == 1
