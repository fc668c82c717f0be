"""The console command ``kitwai``. Exit code 0 only on success; errors are one line on stderr.

A subcommand's module offers ``add_parser(subparsers)`` and sets ``run``, a function of the parsed
arguments that returns the exit code. Its heavy imports stand inside ``run``.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import NoReturn

from kitwai import __version__
from kitwai.errors import KitwaiError

_MODULES = (
    "cluster",
    "explain",
    "profile",
    "parse_log",
    "train",
    "evaluate",
    "day",
    "history",
    "models",
    "replay",
    "publish",
)

COMMANDS = "kitwai.commands"
"""Entry-point group of other packages' modules that add subcommands."""


class _Parser(argparse.ArgumentParser):
    """A parser that reports wrong usage in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser with all subcommands."""
    parser = _Parser(prog="kitwai", description="Scales Spark clusters from Apache Airflow.")
    parser.add_argument("--version", action="version", version=f"kitwai {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in _MODULES:
        importlib.import_module(f"kitwai.cli.{name}").add_parser(subparsers)
    for command in sorted(entry_points(group=COMMANDS), key=lambda entry: entry.name, reverse=True):
        command.load().add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except KitwaiError as error:
        print(f"kitwai: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("kitwai: interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
