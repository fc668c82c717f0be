"""Which processes are at work in a folder."""

from __future__ import annotations

import os
from pathlib import Path

import psutil


def processes_in(folder: Path) -> list[str]:
    """The processes whose command line or current folder lies in ``folder``, but for this one."""
    found = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            inside = str(folder) in command or Path(process.cwd()).is_relative_to(folder)
            if inside and process.pid != os.getpid():
                found.append(f"{process.pid}: {command}")
        except (psutil.Error, OSError):
            continue
    return found
