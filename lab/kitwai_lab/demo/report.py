"""The demo's results: `summary.json`, the timeline picture, and a table for the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitwai.store.files import replace_text
from kitwai_lab.demo.measure import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.table import Table

FIRST, SECOND = "first run", "second run"
"""The names of the runs under Kitwai: one that knows no other, and one that knows the first."""

_INK, _FAINT, _GRID = "#1f2933", "#7b8794", "#e4e7eb"
_WORKERS, _PAID, _TARGET, _TASKS, _LIMIT = "#3a7d44", "#9ccc9c", "#1f2933", "#2b6cb0", "#c53030"


@dataclass(slots=True)
class Report:
    """The runs so far, of at least one under Kitwai.

    ``scaled``: under Kitwai, the first one and the one that knew it. ``constant``: on constant
    counts of workers.
    """

    scaled: list[Run]
    constant: list[Run] = field(default_factory=list)

    @property
    def newest(self) -> Run:
        """The run that ended last."""
        return self.constant[-1] if self.constant else self.scaled[-1]

    def write(self, summary: Path, picture: Path) -> None:
        """Write summary and picture so that a reader never finds half of the summary."""
        replace_text(summary, json.dumps(self.summary(), indent=2) + "\n")
        draw_timeline(picture, self.scaled, self.constant)

    def summary(self) -> dict[str, Any]:
        """The figures of all runs: the first one's at the top, the others by their names."""
        first, *second = self.scaled
        summary = {"limit_s": first.limit_s, "max_workers": first.max_workers, **_scaled(first)}
        if second:
            summary["second_run"] = _scaled(second[0])
        if self.constant:
            summary["compare"] = {run.name: _figures(run) for run in self.constant}
        return summary

    def table(self) -> Table:
        """All runs beside each other, for a terminal."""
        from rich.table import Table

        first = self.scaled[0]
        table = Table("run", "finish s", "limit", "worker-seconds", "to the first run")
        for run in (*self.scaled, *self.constant):
            change = run.worker_seconds / first.worker_seconds - 1.0
            table.add_row(
                run.name,
                f"{run.finish_s:.0f}",
                "met" if run.hit else "missed",
                f"{run.worker_seconds:.0f}",
                "" if run is first else f"{change:+.0%}",
            )
        return table


def draw_timeline(path: Path, scaled: Sequence[Run], constant: Sequence[Run] = ()) -> None:
    """Write a PNG with a column for each run of ``scaled``.

    Workers and target stand above, finished tasks below, the limit goes through both.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = len(scaled)
    figure = Figure(figsize=(3 + 8 * columns, 6.6), dpi=120, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        *(2, columns), height_ratios=(3, 2), hspace=0.1, wspace=0.12,
        left=0.1 / columns**0.5, right=0.97, top=0.78, bottom=0.09,
    )  # fmt: skip
    for column, run in enumerate(scaled):
        above = figure.add_subplot(grid[0, column])
        below = figure.add_subplot(grid[1, column], sharex=above)
        _draw_run(above, below, run)
        place = above.get_position()
        figure.text(place.x0, 0.845, _title(run), fontsize=13, fontweight="bold", color=_INK)
    figure.text(0.05, 0.94, _headline(scaled), fontsize=15, fontweight="bold", color=_INK)
    if constant:
        figure.text(0.05, 0.9, _subtitle(constant), fontsize=10, color=_FAINT)
    figure.savefig(path, format="png")


def _draw_run(above: Axes, below: Axes, run: Run) -> None:
    end = max(run.limit_s, run.finish_s, _seconds(run, run.samples[-1].at) if run.samples else 0.0)
    above.set_xlim(0, end * 1.04)
    _draw_workers(above, run)
    _draw_tasks(below, run)
    for axes in (above, below):
        axes.axvline(run.limit_s, color=_LIMIT, linewidth=1.4)
        axes.grid(axis="y", color=_GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=_INK, labelsize=9)
    above.tick_params(labelbottom=False)
    below.set_xlabel("seconds since the application's start", color=_INK)


def _scaled(run: Run) -> dict[str, Any]:
    counts = [sample.workers for sample in run.samples if sample.workers is not None]
    return {
        **_figures(run),
        "peak_workers": max(counts, default=None),
        "scale_outs": len(run.scale_outs),
        "scale_ins": len(run.scale_ins),
        "scale_outs_during_application": run.during(run.scale_outs),
        "scale_ins_during_application": run.during(run.scale_ins),
        "checkpoints": list(run.checkpoints),
    }


def _figures(run: Run) -> dict[str, Any]:
    return {
        "finish_s": round(run.finish_s, 1),
        "hit": run.hit,
        "worker_seconds": round(run.worker_seconds, 1),
        "failed_tasks": run.application.failed_tasks,
    }


def _headline(scaled: Sequence[Run]) -> str:
    if len(scaled) == 1:
        return "The application on a cluster that Kitwai scales"
    first, second = (run.worker_seconds for run in scaled[:2])
    return (
        "The same application twice: the second time Kitwai knows the first run "
        f"({second / first - 1.0:+.0%} worker-seconds)"
    )


def _title(run: Run) -> str:
    verdict = "in time" if run.hit else "late"
    return (
        f"{run.name}: {run.worker_seconds:.0f} worker-seconds, "
        f"{run.finish_s:.0f} s of {run.limit_s:.0f} s, {verdict}"
    )


def _subtitle(constant: Sequence[Run]) -> str:
    return "   ·   ".join(
        f"{run.name}: {run.worker_seconds:.0f} in {run.finish_s:.0f} s"
        + ("" if run.hit else " (late)")
        for run in constant
    )


def _draw_workers(axes: Axes, run: Run) -> None:
    from matplotlib.ticker import MaxNLocator

    paid = _paid_for(run)
    if paid:
        times, counts = zip(*paid, strict=True)
        axes.fill_between(
            times, counts, step="post", color=_PAID, alpha=0.35, linewidth=0,
            label="starting or leaving",
        )  # fmt: skip
    known = [(_seconds(run, s.at), s.workers) for s in run.samples if s.workers is not None]
    if known:
        times, counts = zip(*known, strict=True)
        axes.fill_between(times, counts, step="post", color=_WORKERS, alpha=0.25, linewidth=0)
        axes.step(times, counts, where="post", color=_WORKERS, linewidth=1.8, label="workers (x)")
    if run.targets:
        last = run.samples[-1].at if run.samples else run.application.ended_at
        points = [(_seconds(run, target.at), target.workers) for target in run.targets]
        points.append((max(_seconds(run, last), points[-1][0]), points[-1][1]))
        times, counts = zip(*points, strict=True)
        axes.step(
            times, counts, where="post", color=_TARGET, linewidth=1.3, linestyle=(0, (4, 2)),
            label="target",
        )  # fmt: skip
    axes.axhline(run.max_workers, color=_FAINT, linewidth=0.9, linestyle=":")
    axes.annotate(
        f"N = {run.max_workers}", (0.0, run.max_workers), xycoords=("axes fraction", "data"),
        xytext=(5, 3), textcoords="offset points", ha="left", fontsize=9, color=_FAINT,
    )  # fmt: skip
    axes.annotate(
        f"limit {run.limit_s:.0f} s", (run.limit_s, 1.0), xycoords=("data", "axes fraction"),
        xytext=(0, 4), textcoords="offset points", ha="center", fontsize=9, color=_LIMIT,
    )  # fmt: skip
    axes.set_ylim(0, run.max_workers + 1)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("workers", color=_INK)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2,
            frameon=False, ncols=3, fontsize=9,
        )  # fmt: skip


def _draw_tasks(axes: Axes, run: Run) -> None:
    known = [sample for sample in run.samples if sample.tasks_done is not None]
    total = max((sample.tasks_total or 0 for sample in known), default=0)
    if known:
        times = [_seconds(run, sample.at) for sample in known] + [run.finish_s]
        # The driver is gone before it could be asked once more after its last task.
        done = [sample.tasks_done or 0 for sample in known] + [total]
        axes.fill_between(times, done, color=_TASKS, alpha=0.15, linewidth=0)
        axes.plot(times, done, color=_TASKS, linewidth=1.8)
        axes.set_ylim(0, total * 1.15)
    axes.set_ylabel(f"tasks done (of {total})", color=_INK)
    axes.axvline(run.finish_s, color=_TASKS, linewidth=1.2)
    axes.annotate(
        f"done {run.finish_s:.0f} s", (run.finish_s, 0.06), xycoords=("data", "axes fraction"),
        xytext=(-5, 0), textcoords="offset points", ha="right", fontsize=9, color=_TASKS,
    )  # fmt: skip


def _paid_for(run: Run) -> list[tuple[float, int]]:
    """(seconds, workers launched and not removed) at each change."""
    end = run.samples[-1].at if run.samples else run.application.ended_at
    changes = [(began, 1) for began, _ in run.lifetimes]
    changes += [(ended, -1) for _, ended in run.lifetimes if ended is not None]
    points, count = [], 0
    for moment, change in sorted(changes):
        count += change
        points.append((_seconds(run, moment), count))
    return [*points, (_seconds(run, end), count)] if points else []


def _seconds(run: Run, moment: float) -> float:
    return moment - run.application.started_at
