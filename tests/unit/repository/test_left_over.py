"""What the tests of real parts say of processes that they leave."""

from __future__ import annotations

import subprocess
import sys

from left_over import processes_in


def test_processes_of_a_folder_are_found_by_command_and_by_current_folder(tmp_path):
    own, other = tmp_path / "run-2", tmp_path / "run-26"
    own.mkdir()
    other.mkdir()
    waits = [sys.executable, "-c", "import time; time.sleep(60)"]
    named = subprocess.Popen([*waits, f"--out={own / 'a'}"])
    inside = subprocess.Popen(waits, cwd=own)
    elsewhere = subprocess.Popen([*waits, f"--out={other}"], cwd=other)
    try:
        found = {int(line.partition(":")[0]) for line in processes_in(own)}
        assert found == {named.pid, inside.pid}
    finally:
        for child in (named, inside, elsewhere):
            child.kill()
            child.wait()
