"""`kitwai metrics`, `export` and `import`."""

from __future__ import annotations

import subprocess
import sys
import time

import httpx
import pytest

from kitwai.cli.main import main
from kitwai.core.records.observation import HostMetrics
from kitwai.metrics.original_csv import COLUMNS, from_csv
from kitwai.store.store import Store
from stored_steps import step


@pytest.fixture
def store(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'kitwai.db'}"
    monkeypatch.setenv("AIRFLOW__KITWAI__STORE", url)
    monkeypatch.setenv("AIRFLOW__KITWAI__CLUSTERS", "test")
    return Store(url)


@pytest.mark.slow
def test_the_command_prints_and_serves_only_when_told(store, capsys, monkeypatch):
    step(store, 1000.0)
    assert main(["metrics"]) == 0
    assert 'kitwai_applications{cluster="test"} 1' in capsys.readouterr().out
    monkeypatch.setenv("AIRFLOW__KITWAI__METRICS_PORT", "many")
    assert main(["metrics"]) == 1
    assert "metrics_port must be a port's number, not 'many'" in capsys.readouterr().err
    monkeypatch.setenv("AIRFLOW__KITWAI__METRICS_PORT", "0")
    command = [sys.executable, "-m", "kitwai.cli.main", "metrics"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as serving:
        try:
            url = next(line for line in serving.stderr if "Serving" in line).split()[1]
            assert "kitwai_target_workers" in httpx.get(url, timeout=60).text
        finally:
            serving.terminate()


def test_the_commands_export_and_import(store, tmp_path, capsys):
    step(store, time.time() - 30)
    step(store, time.time())
    out = tmp_path / "run.csv"
    assert main(["export", "--cluster", "test", "--out", str(out)]) == 0
    assert out.read_text().splitlines()[0] == ",".join(COLUMNS)
    assert len(out.read_text().splitlines()) == 3
    original = tmp_path / "original.csv"
    original.write_text(
        "id, execu, memT, memA, cpuU, cpuS, netI, netO\n"
        "0, 12.5, 400000, 500000, 35.5, 4.5, 1000.5, 2000\n"
        "1, 27.5, 400000, 500000, 40, , 1000.5, 2000\n"
    )
    command = ["import", str(original), "--cluster", "past", "--start", "1000"]
    assert main(command) == 0
    first, second = store.observations("past")
    assert (first.at, first.applications[0].id) == (1012.5, "original")
    assert first.host == HostMetrics(0.355, 0.045, 1000.5, 2000.0)
    assert second.host.cpu_system is None
    log = first.applications[0].log
    assert (log.action_bytes, log.transformation_bytes) == (500000.0, 400000.0)
    assert main(["export", "--cluster", "past", "--since", "36500d", "--out", str(out)]) == 0
    assert from_csv(out.read_text(), "out") == from_csv(original.read_text(), "original")
    capsys.readouterr()
    assert main(["import", str(original), "--cluster", "test"]) == 1
    assert "a cluster that Kitwai scales" in capsys.readouterr().err
    assert main(["export", "--cluster", "nowhere", "--out", str(out)]) == 1
    assert "holds no application of cluster 'nowhere'" in capsys.readouterr().err
