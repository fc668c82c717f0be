"""``kitwai history``: makes the file of past runs that decisions read from application profiles."""

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
    from kitwai.cli.output import check_writable, make_folder, write_text
    from kitwai.core.records.profile import load_profiles
    from kitwai.registry.history_file import history_text
    from kitwai.sim.library import Library
    from kitwai.sim.past_runs import history_of

    library = Library(load_profiles(arguments.profiles))
    make_folder(arguments.out.parent)
    check_writable(arguments.out)
    history = history_of(library)
    write_text(arguments.out, history_text(history))
    print(f"{len(library.profiles)} runs of {len(history)} applications: {arguments.out}")
    return 0
