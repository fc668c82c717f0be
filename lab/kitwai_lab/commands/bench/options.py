"""What the benchmarks' command lines share: options, their checks, tables and result files."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from kitwai.cli.output import result_file, write_json
from kitwai.errors import InvalidInputError

Benchmarks: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""The parsers of ``kitwai bench``, to which each benchmark adds its own."""


def with_json() -> argparse.ArgumentParser:
    """A parent parser with the option ``--json``."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--json", type=result_file, help="write the figures to this file as well")
    return parent


def check_at_least_one(arguments: argparse.Namespace, option: str) -> None:
    """:raises InvalidInputError: the option ``--OPTION`` is below 1."""
    value = getattr(arguments, option)
    if value < 1:
        raise InvalidInputError(f"--{option} must be at least 1, not {value}.")


def write_figures(path: Path | None, figures: Mapping[str, object]) -> None:
    """Write the figures where ``--json`` names a file."""
    if path is not None:
        write_json(path, figures)


def spread(seconds: Sequence[float]) -> tuple[str, str, str]:
    """Median, least and most, as cells of a table."""
    return f"{statistics.median(seconds):.2f}", f"{min(seconds):.2f}", f"{max(seconds):.2f}"
