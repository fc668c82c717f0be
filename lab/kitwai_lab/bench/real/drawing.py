"""A picture of the ratios: what reality says beside what the simulator says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitwai_lab.bench.real.planning import KNOWN, UNKNOWN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _FAINT, _GRID = "#1f2933", "#7b8794", "#e4e7eb"
_COLOURS = {UNKNOWN: "#c05621", KNOWN: "#2b6cb0"}
_OFFSET = {UNKNOWN: 0.14, KNOWN: -0.14}


def draw_ratios(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write a PNG: of each application the real ratio (full) and the simulated one (hollow)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.6 + 0.55 * len(rows)), dpi=120, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    names = [row["application"] for row in rows]
    for place, row in enumerate(reversed(rows)):
        for regime in (UNKNOWN, KNOWN):
            _draw_regime(axes, place + _OFFSET[regime], row, regime)
    axes.set_yticks(range(len(rows)), reversed(names))
    axes.axvline(1.0, color=_FAINT, linewidth=1.0, linestyle=":")
    axes.set_xlabel("worker-seconds over those of the best constant count", color=_INK)
    axes.grid(axis="x", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(colors=_INK, labelsize=9, left=False)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    _add_legend(axes)
    figure.tight_layout()
    figure.savefig(path, format="png")


def _draw_regime(axes: Axes, at: float, row: dict[str, Any], regime: str) -> None:
    colour = _COLOURS[regime]
    shown = [
        (figures["ratio"], figures["hit"], fill)
        for figures, fill in ((row[regime], colour), (_simulated(row, regime), "white"))
        if figures is not None and figures.get("ratio") is not None
    ]
    ratios = [ratio for ratio, _, _ in shown]
    axes.plot(ratios, [at] * len(ratios), color=colour, linewidth=1.0, alpha=0.5)
    for ratio, hit, fill in shown:
        axes.plot(
            [ratio], [at], "o" if hit else "X",
            color=colour, markerfacecolor=fill, markersize=8,
        )  # fmt: skip


def _simulated(row: dict[str, Any], regime: str) -> dict[str, Any] | None:
    return row["simulated"][regime] if row.get("simulated") else None


def _add_legend(axes: Axes) -> None:
    for regime, colour in _COLOURS.items():
        axes.plot([], [], "o", color=colour, label=f"{regime}, real")
        axes.plot([], [], "o", color=colour, markerfacecolor="white", label=f"{regime}, simulated")
    axes.plot([], [], "X", color=_INK, linestyle="", label="limit missed")
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, frameon=False, ncols=5,
        fontsize=8, handletextpad=0.2,
    )  # fmt: skip
