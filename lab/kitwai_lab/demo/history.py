"""What makes a finished application known, by the commands that users run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from kitwai.registry.history_file import history_text
from kitwai.store.files import replace_text
from kitwai_lab.demo.claim import DemoError

_TIMEOUT_S = 120.0


def forget_all(history: Path) -> None:
    """Make ``history`` a file of past runs that holds none."""
    history.parent.mkdir(parents=True, exist_ok=True)
    replace_text(history, history_text({}))


def learn(events: Path, profiles: Path, history: Path, say: Callable[[str], None]) -> None:
    """Write the applications of the event logs in ``events`` into the file ``history``.

    :param profiles: folder for the profiles in between; made anew.
    :param say: is told each command.
    :raises DemoError: a command failed.
    """
    shutil.rmtree(profiles, ignore_errors=True)
    for command in (
        ["profile", str(events), "--out", str(profiles)],
        ["history", "--profiles", str(profiles), "--out", str(history)],
    ):
        say(f"$ kitwai {' '.join(command)}")
        done = subprocess.run(
            [sys.executable, "-m", "kitwai.cli.main", *command],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            raise DemoError(f"`kitwai {command[0]}` failed: {done.stderr.strip()}")
