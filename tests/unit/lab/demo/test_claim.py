from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from kitwai_lab.demo.claim import DemoError, claim, keep, marked, stop

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def start() -> subprocess.Popen:
    """A process in a session of its own, as the demo starts them."""
    return subprocess.Popen(SLEEP, start_new_session=True)


def ends(process: subprocess.Popen) -> bool:
    return process.wait(timeout=20) != 0


def test_what_was_started_ends_with_the_claim(tmp_path):
    with claim(tmp_path) as demo_id:
        process = start()
        assert [found.pid for found in marked(demo_id)] == [process.pid]
    assert ends(process)
    assert marked(demo_id) == []


def test_an_error_ends_everything_too(tmp_path):
    started = []

    def fail():
        with claim(tmp_path):
            started.append(start())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert ends(started[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts_once_and_ends_everything(tmp_path, number):
    before = signal.getsignal(number)
    started = []

    def run():
        with claim(tmp_path):
            started.append(start())
            try:
                os.kill(os.getpid(), number)
                time.sleep(10)
            finally:
                os.kill(os.getpid(), number)  # a second one does not disturb the end

    with pytest.raises(KeyboardInterrupt):
        run()
    assert ends(started[0])
    assert signal.getsignal(number) is before


def test_a_kept_demo_stays_up_until_it_is_stopped(tmp_path):
    with claim(tmp_path) as demo_id:
        process = start()
        keep(tmp_path)
    assert len(marked(demo_id)) == 1
    with pytest.raises(DemoError, match="still up"), claim(tmp_path):
        pass
    assert stop(tmp_path) == 1
    assert ends(process)
    assert stop(tmp_path) == 0
    with claim(tmp_path):
        pass


def test_a_second_demo_in_the_same_folder_is_refused(tmp_path):
    with claim(tmp_path), pytest.raises(DemoError, match="is running in"), claim(tmp_path):
        pass


def test_stop_leaves_a_running_demo_alone(tmp_path):
    with claim(tmp_path), pytest.raises(DemoError, match="is running in"):
        stop(tmp_path)


def test_what_a_killed_demo_left_is_ended_by_the_next(tmp_path):
    script = (
        "import os, pathlib, subprocess, sys\n"
        "from kitwai_lab.demo.claim import claim\n"
        f"with claim(pathlib.Path({str(tmp_path)!r})):\n"
        f"    print(subprocess.Popen({SLEEP!r}, start_new_session=True).pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script], stdout=subprocess.DEVNULL, check=False)
    left = json.loads((tmp_path / "demo.json").read_text())["id"]
    assert len(marked(left)) == 1
    with claim(tmp_path):
        assert marked(left) == []
