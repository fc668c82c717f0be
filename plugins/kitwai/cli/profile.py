"""``kitwai profile``: makes application profiles from Spark event logs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kitwai.event_log.files import LogFiles


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "profile",
        help="make application profiles from Spark event logs",
        description="Makes a profile (JSON) of each event log: plain, gzip, zstandard, Spark's "
        "lz4 and snappy, rolling. A log that gives none is named on stderr with the reason; the "
        "exit code is then 1, and the other profiles are written all the same.",
    )
    parser.add_argument(
        "logs",
        nargs="+",
        type=Path,
        metavar="EVENTLOG",
        help="an event log, the folder of a rolling one, or a folder of event logs",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the profiles; made where it is missing"
    )
    parser.set_defaults(run=_profile)


def _profile(arguments: argparse.Namespace) -> int:
    from kitwai.cli.output import make_folder, write_json
    from kitwai.event_log.folder import read_log

    make_folder(arguments.out)
    taken: set[str] = set()
    failed = 0
    # The logs are listed first, since the folder of the profiles may lie inside theirs.
    for files in list(_logs(arguments.logs)):
        log = read_log(files)
        if log.profile is None:
            failed += 1
            print(f"kitwai: {files.source} gives no profile: {log.reason}.", file=sys.stderr)
            continue
        path = arguments.out / f"{_free_name(Path(files.source).name, taken)}.json"
        write_json(path, log.profile.to_dict(), indent=None)
        note = "" if log.succeeded else "; its last job failed"
        stages = log.profile.stages
        tasks = sum(len(stage.task_ms) for stage in stages)
        print(f"{path}: {len(stages)} stages, {tasks} tasks{note}")
    return 1 if failed else 0


def _logs(paths: list[Path]) -> Iterator[LogFiles]:
    from kitwai.event_log.files import files_of, find_logs

    for path in paths:
        if path.is_dir():
            yield from find_logs(path)
        else:
            yield files_of(path)


def _free_name(name: str, taken: set[str]) -> str:
    """The log's name without its codec, with a number if another log has the same name."""
    stem = name
    for suffix in (".inprogress", ".gz", ".zst", ".zstd", ".lz4", ".snappy"):
        stem = stem.removesuffix(suffix) or name
    free, number = stem, 1
    while free in taken:
        number += 1
        free = f"{stem}-{number}"
    taken.add(free)
    return free
