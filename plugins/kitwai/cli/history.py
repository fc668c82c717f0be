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
    from kitwai.sim.records import history_of
    from kitwai.store.history import save_history

    library = Library(load_profiles(arguments.profiles))
    history = history_of(library)
    save_history(arguments.out, history)
    print(f"{len(library.profiles)} runs of {len(history)} applications: {arguments.out}")
    return 0
