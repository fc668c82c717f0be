"""`kitwai bench`: each benchmark is a module of its name, and refuses options in one line."""

from __future__ import annotations

import argparse
import pkgutil

import pytest

from kitwai.cli.main import main
from kitwai_lab.commands import bench


def benchmarks() -> dict[str, argparse.ArgumentParser]:
    parser = argparse.ArgumentParser()
    bench.add_parser(subparsers := parser.add_subparsers())
    (action,) = subparsers.choices["bench"]._subparsers._group_actions
    return action.choices


def test_each_benchmark_is_a_module_of_its_name():
    modules = {module.name for module in pkgutil.iter_modules(bench.__path__)} - {"options"}
    assert {name.replace("-", "_") for name in benchmarks()} == modules
    for name, parser in benchmarks().items():
        module = parser.get_default("run").__module__
        assert module == f"kitwai_lab.commands.bench.{name.replace('-', '_')}"


@pytest.mark.parametrize("name", benchmarks())
def test_each_benchmark_writes_its_figures_where_json_says(name, tmp_path):
    file = tmp_path / "figures.json"
    assert benchmarks()[name].parse_args(["--json", str(file)]).json == file


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["step", "--runs", "0"], "--runs must be at least 1"),
        (["reaction", "--changes", "0"], "--changes must be at least 1"),
        (["clusters", "--clusters", "0"], "--clusters must lie in 1..1000"),
        (["clusters", "--per-task", "101"], "--per-task must lie in 1..100"),
        (["calibrate", "--repeats", "0"], "--repeats must be at least 1"),
        (["log", "--megabytes", "nan"], "--megabytes must lie in 1..100000"),
        (["look", "--looks", "0"], "--looks must lie in 1..30"),
        (["look", "--new", "10001"], "--new must lie in 1..10000"),
        (["train-dag", "--applications", "0"], "--applications must lie in 1..1000"),
        (["api", "--rate", "0"], "--rate must lie above 0"),
        (["pool", "--workers", "1"], "--workers must be at least 2"),
        (["pool", "--tasks", "9"], "--tasks must be at least 10"),
        (["real", "--workers", "0"], "--workers must be at least 1"),
        (["real", "--constants", "2", "0"], "--constants must be counts of at least 1"),
        (["real", "--step", "0"], "--step must be at least 1"),
        (["real", "--only", "nothing"], "There is no application 'nothing'"),
        (["real", "--limit", "60"], "--limit and --argument belong to an --application"),
        (["real", "--application", "job.py"], "--application needs a --limit above 0"),
        (["real", "--application", "job.py", "--limit", "9"], "There is no application job.py"),
        (
            ["real", "--application", "job.py", "--limit", "9", "--quick"],
            "--only and --quick do not go with --application",
        ),
    ],
)
def test_option_out_of_range_is_refused_in_one_line(capsys, options, words):
    assert main(["bench", *options]) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
