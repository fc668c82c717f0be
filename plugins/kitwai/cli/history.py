"""``kitwai history``: application profiles -> the file of past runs that decisions read."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "history", help="make the file of past runs that decisions read, from profiles"
    )
    parser.add_argument(
        "--profiles", type=Path, required=True, help="folder of application profiles"
    )
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    parser.set_defaults(run=_history)


def _history(arguments: argparse.Namespace) -> int:
    from kitwai.sim.library import Library
    from kitwai.sim.profile import load_profiles
    from kitwai.sim.records import records_of
    from kitwai.store.history import save_history

    library = Library(load_profiles(arguments.profiles))
    runs: dict[str, list[object]] = {}
    for profile, record in zip(library.profiles, records_of(library), strict=True):
        runs.setdefault(profile.family, []).append(record)
    save_history(arguments.out, runs)  # type: ignore[arg-type]
    print(f"{len(library.profiles)} runs of {len(runs)} applications: {arguments.out}")
    return 0
