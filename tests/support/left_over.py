"""Which processes are at work in a folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

import psutil


def processes_in(folder: Path) -> list[str]:
    """The processes whose command line or current folder lies in ``folder``, but for this one."""
    # Not one of a longer name, such as that of another test run.
    named = re.compile(rf"{re.escape(str(folder))}(?![\w.-])")
    found = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            inside = named.search(command) or Path(process.cwd()).is_relative_to(folder)
            if inside and process.pid != os.getpid():
                found.append(f"{process.pid}: {command}")
        except (psutil.Error, OSError):
            continue
    return found
