"""Event logs as Spark 4 writes them: plain and rolling, in each of its codecs, ended and not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from event_count import count
from kitwai.event_log.folder import ReadLog, read_logs
from kitwai.pools.spark_options import QUICK_JVM

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]

APPLICATION = Path(__file__).parent / "applications" / "logged.py"

CODECS = ("zstd", "lz4", "snappy", "lzf")


def written(*, rolling: bool, codec: str | None) -> dict[str, str]:
    properties = {
        "spark.eventLog.rolling.enabled": str(rolling).lower(),
        "spark.eventLog.rolling.maxFileSize": "10m",
        "spark.eventLog.compress": str(codec is not None).lower(),
        "spark.driver.extraJavaOptions": QUICK_JVM,
    }
    return properties | ({} if codec is None else {"spark.eventLog.compression.codec": codec})


# Single files, then rolling ones, and last what Spark does where nothing is set.
WRITTEN = [
    *(written(rolling=False, codec=codec) for codec in (None, *CODECS)),
    *(written(rolling=True, codec=codec) for codec in ("zstd", "snappy")),
    {},
]
LZF = 4
ROLLING = range(5, 7)


@pytest.fixture(scope="module")
def logs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("logged")
    command = [sys.executable, APPLICATION, folder, *(json.dumps(one) for one in WRITTEN)]
    environment = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3_000:]
    return folder


def the_log_in(folder: Path) -> ReadLog:
    (log,) = read_logs(folder)
    return log


@pytest.mark.parametrize("number", [n for n in range(len(WRITTEN)) if n != LZF])
def test_a_log_of_spark_gives_what_spark_itself_reads_there(logs, number):
    log = the_log_in(logs / str(number))
    assert log.profile is not None, log.reason
    with (logs / f"{number}.plain").open("rb") as plain:
        expected = count(plain)
    stages = log.profile.stages
    assert len(stages) == expected.stages
    assert sum(len(stage.task_ms) for stage in stages) == expected.tasks
    assert sum(sum(stage.task_ms) for stage in stages) == expected.run_ms
    assert round(1_000 * (log.ended_at - log.started_at)) == expected.span_ms
    assert (log.profile.family, log.profile.inputs) == (f"logged-{number}", {"number": number})
    assert log.profile.cores_per_worker == 2
    assert log.succeeded


@pytest.mark.parametrize("number", range(len(WRITTEN)))
def test_an_application_that_runs_gives_the_reason(logs, number):
    log = the_log_in(logs / f"{number}-cut")
    expected = "LZF" if number == LZF else "not hold the end of an application, which is running"
    assert log.profile is None
    assert expected in log.reason


@pytest.mark.parametrize("number", ROLLING)
def test_the_rolling_logs_have_several_parts(logs, number):
    assert len([*(logs / str(number)).rglob("events_*")]) > 1


def test_a_join_under_adaptive_execution_waits_for_both_sides(logs):
    """Its sides are jobs of their own, and the parents that Spark names never run."""
    profile = the_log_in(logs / "0").profile
    one, other, join = profile.stages[:3]
    assert {len(one.task_ms), len(other.task_ms)} == {3, 2}
    assert (one.parents, other.parents, join.parents) == ((), (), (one.id, other.id))


def test_a_stage_that_is_skipped_is_not_there_and_a_failed_task_counts_once(logs):
    profile = the_log_in(logs / "0").profile
    counted = [len(stage.task_ms) for stage in profile.stages]
    # Twice the same work: the last three stages of each are those of the shuffle.
    assert counted[len(counted) // 2 - 3 : len(counted) // 2] == [4, 2, 2] == counted[-3:]
