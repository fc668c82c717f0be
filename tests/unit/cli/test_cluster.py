"""`kitwai observe`, `decide` and `scale`: their errors."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from kitwai.cli.main import main


@pytest.mark.parametrize(
    ("connection", "arguments", "words"),
    [
        (None, ["observe"], "Airflow has no connection 'test_cli'"),
        ({"host": ""}, ["observe"], "names no host"),
        ({"host": "127.0.0.1", "extra": {"mode": "fly"}}, ["decide"], "extra field 'mode'"),
        ({"host": "127.0.0.1"}, ["decide", "-N", "0"], "at least 1, not 0"),
        ({"host": "127.0.0.1"}, ["decide", "-T", "0s"], "'0s' is not a time"),
        ({"host": "127.0.0.1"}, ["scale", "--target", "11"], "must lie in 1..N (1..10)"),
    ],
)
def test_errors_are_one_line_on_stderr(connection, arguments, words, monkeypatch, capfd):
    if connection is not None:
        fields = {"conn_type": "spark_cluster", **connection}
        monkeypatch.setenv("AIRFLOW_CONN_TEST_CLI", json.dumps(fields))
    code = main([*arguments, "--cluster", "test_cli"])
    message = capfd.readouterr().err.strip().splitlines()[-1]
    assert code == 1
    assert message.startswith("kitwai: ")
    assert words in message


@pytest.mark.slow
def test_without_a_master_the_command_fails_and_says_what_is_missing(tmp_path):
    fields = {"conn_type": "spark_cluster", "host": "127.0.0.1", "port": 9}
    done = subprocess.run(
        [sys.executable, "-m", "kitwai.cli.main", "decide", "--cluster", "nobody"],
        env={
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW_CONN_NOBODY": json.dumps(fields),
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    decision = json.loads(done.stdout)
    assert done.returncode == 1
    assert decision["target"] is None
    assert decision["reason"].startswith("Nothing is touched: no master:")
