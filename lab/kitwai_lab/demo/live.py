"""The demo's live progress: a panel in a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kitwai_lab.local.started import Started

_LINE_EVERY_S = 15.0
_BAR = 40


@dataclass(frozen=True, slots=True)
class Frame:
    """What is shown of a run at one moment; None where a figure is not known (yet)."""

    phase: str
    limit_s: float
    max_workers: int
    elapsed_s: float | None = None
    workers: int | None = None
    present: int | None = None
    target: int | None = None
    tasks_done: int | None = None
    tasks_total: int | None = None
    predicted_s: float | None = None
    reason: str | None = None


class LiveView(Started):
    """Shows frames as they come. `say` prints a line beside them."""

    def __init__(self, console: Console | None = None) -> None:
        """:param console: where to show; by default standard output."""
        self.console = console or Console(highlight=False)
        self._live = Live(console=self.console, auto_refresh=False, transient=True)
        self._last: tuple[object, ...] = ()
        self._last_at = 0.0

    def start(self) -> None:
        """Open the panel where the console is a terminal."""
        if self.console.is_terminal:
            self._live.start()

    def stop(self) -> None:
        """Take the panel away."""
        self._live.stop()

    def say(self, line: str) -> None:
        """Print one line that stays."""
        self.console.print(line, soft_wrap=True, markup=False)

    def say_table(self, table: Table) -> None:
        """Print a table that stays."""
        self.console.print(table)

    def show(self, frame: Frame) -> None:
        """Show ``frame``: at once in a terminal, else when it tells something new."""
        if self.console.is_terminal:
            self._live.update(_panel(frame), refresh=True)
            return
        news = (frame.phase, frame.workers, frame.target, frame.reason)
        now = time.monotonic()
        if news != self._last or now - self._last_at >= _LINE_EVERY_S:
            self._last, self._last_at = news, now
            self.say(_line(frame))


def _panel(frame: Frame) -> Panel:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", justify="right")
    rows.add_column(width=_BAR)
    rows.add_column()
    present = frame.present if frame.present is not None else frame.workers
    rows.add_row("workers", _blocks(frame), f"{_number(frame.workers)} of at most "
                 f"{frame.max_workers}" + _coming(frame.workers, present)
                 + f", target {_number(frame.target)}")  # fmt: skip
    rows.add_row(
        "tasks",
        _bar(frame.tasks_done, frame.tasks_total, "blue"),
        f"{_number(frame.tasks_done)} of {_number(frame.tasks_total)}",
    )
    late = frame.elapsed_s is not None and frame.elapsed_s > frame.limit_s
    rows.add_row(
        "time", _bar(frame.elapsed_s, frame.limit_s, "red" if late else "green"), _time(frame)
    )
    reason = Text(frame.reason or "No decision yet.", style="italic")
    return Panel(
        Group(rows, Text(), reason), title=f"Kitwai · {frame.phase}", title_align="left", width=100
    )


def _line(frame: Frame) -> str:
    parts = [
        frame.phase,
        f"workers {_number(frame.workers)} of {frame.max_workers}, target {_number(frame.target)}",
    ]
    if frame.tasks_total is not None:
        parts.append(f"tasks {_number(frame.tasks_done)} of {frame.tasks_total}")
    if frame.elapsed_s is not None:
        parts.append(_time(frame))
    return " | ".join([*parts, frame.reason] if frame.reason else parts)


def _time(frame: Frame) -> str:
    if frame.elapsed_s is None:
        return f"limit {frame.limit_s:.0f} s"
    left = frame.limit_s - frame.elapsed_s
    said = f"{left:.0f} s left" if left >= 0 else f"{-left:.0f} s late"
    if frame.predicted_s is not None:
        said += f", finish predicted at {frame.predicted_s:.0f} s of {frame.limit_s:.0f} s"
    return said


def _blocks(frame: Frame) -> Text:
    workers, present = frame.workers or 0, frame.present or frame.workers or 0
    blocks = Text("■ " * workers, style="green")
    blocks.append("▣ " * max(0, present - workers), style="yellow")
    blocks.append("□ " * max(0, frame.max_workers - max(present, workers)), style="dim")
    return blocks


def _coming(workers: int | None, present: int | None) -> str:
    coming = (present or 0) - (workers or 0)
    return f" ({coming} starting)" if coming > 0 else ""


def _bar(done: float | None, total: float | None, style: str) -> ProgressBar:
    share = min(1.0, (done or 0) / total) if total else 0.0
    return ProgressBar(
        total=1.0, completed=share, width=_BAR, complete_style=style, finished_style=style
    )


def _number(value: int | None) -> str:
    return "?" if value is None else str(value)
