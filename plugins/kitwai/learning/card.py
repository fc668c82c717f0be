"""The model card of a version: its origin, how good it is, and what changed since its parent.

Everything comes from the manifests, so that the same version has the same card.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kitwai.learning.trial import Trial
from kitwai.registry.versions import CARD
from kitwai.sim.policy_controller import PolicyController

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVE, COST, GRID = "curve.png", "cost.png", "grid.png"
_COLUMNS = ("hit_rate", "static_ratio", "p95_static_ratio", "cvs_min", "ops_per_episode")
_DECIMALS = 3


def grid_table(trial: Trial, controller: PolicyController) -> dict[str, Any]:
    """How a policy does under each constraint of a trial in one regime.

    ``hit`` and ``ratio`` [N][T]: share of the feasible limits met, and the cost of these episodes
    over the best static cluster's; None where there is no such episode.
    """
    workers, limits_s = trial.workers, trial.limits_s
    ((_, judge),) = trial.judges()
    episodes, outcome = judge.episodes, judge.run(controller)
    hit = outcome.finish_s <= episodes.limit_s
    ratio = outcome.worker_seconds / judge.best_cost
    table: dict[str, Any] = {"N": list(workers), "T_s": list(limits_s), "hit": [], "ratio": []}
    for most in workers:
        feasible = [
            judge.feasible & (episodes.max_workers == most) & (episodes.limit_s == limit)
            for limit in limits_s
        ]
        table["hit"].append([_mean(hit[rows]) for rows in feasible])
        table["ratio"].append([_mean(ratio[rows & hit]) for rows in feasible])
    return table


def _mean(values: Any) -> float | None:
    return round(float(values.mean()), 4) if values.size else None


def card(manifest: Mapping[str, Any], parent: Mapping[str, Any] | None) -> dict[str, bytes]:
    """The files of a card by name: a Markdown page and its pictures (PNG)."""
    pictures = {COST: _cost(manifest["metrics"])}
    if manifest["losses"]:
        pictures[CURVE] = _curve(manifest["losses"])
    if manifest["table"]:
        pictures[GRID] = _grid(manifest["table"])
    page = _page(manifest, parent, pictures)
    return {CARD: page.encode(), **pictures}


def _page(
    manifest: Mapping[str, Any], parent: Mapping[str, Any] | None, pictures: Iterable[str]
) -> str:
    interval = manifest["data_interval"]
    since, until = interval or (None, None)
    grid = manifest["grid"]
    facts = {
        "made by": f"`{manifest['command']}`, Kitwai {manifest['code']}, seed {manifest['seed']}",
        "data": f"{since or 'the beginning'} to {until}" if interval else "no interval",
        "constraints": f"{len(grid['N'])} worker counts x {len(grid['T_s'])} limits",
        "past runs known": _known(manifest["runs"]),
        "training": f"{manifest['training']['updates_done']} updates on "
        f"{manifest['training']['steps_done']} states or steps",
        **{f"network, {name}": reason for name, reason in manifest["trusted_reasons"].items()},
    }
    lines = [f"# {manifest['version']}", "", "| | |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in facts.items()]
    lines += ["", "## How good", ""]
    for regime, rows in manifest["metrics"].items():
        heads = [name.replace("_", " ") for name in _COLUMNS]
        lines += [f"{regime}:", "", f"| policy | {' | '.join(heads)} |", "| --- " * 6 + "|"]
        for name, row in rows.items():
            lines.append(f"| {name} | {' | '.join(_cell(row[column]) for column in _COLUMNS)} |")
        lines.append("")
    titles = {COST: "Cost against limits met", CURVE: "Learning curve", GRID: "By constraint"}
    for name in pictures:
        lines += [f"## {titles[name]}", "", f"![{titles[name]}]({name})", ""]
    lines += ["## What changed since its parent", "", *_changes(manifest, parent)]
    return "\n".join(lines) + "\n"


def _changes(manifest: Mapping[str, Any], parent: Mapping[str, Any] | None) -> list[str]:
    if parent is None:
        if manifest["parent"] is None:
            return ["It has no parent."]
        return [f"Its parent {manifest['parent']} was made by another Kitwai: not compared."]
    lines = [f"Its parent is {parent['version']}.", ""]
    before = parent.get("runs") or {}
    for family, count in sorted(manifest["runs"].items()):
        if count != before.get(family, 0):
            lines.append(f"- {_text(family)}: {before.get(family, 0)} past runs known, now {count}")
    for family in sorted(before.keys() - manifest["runs"].keys()):
        lines.append(f"- {_text(family)}: {before[family]} past runs known, now none")
    for name in ("data_interval", "grid", "seed", "trusted", "prices", "code"):
        old, new = parent.get(name), manifest[name]
        if old != new:
            lines.append(f"- {name.replace('_', ' ')}: {old}, now {new}")
    for regime, rows in manifest["metrics"].items():
        for name, row in rows.items():
            old = (parent.get("metrics") or {}).get(regime, {}).get(name)
            changed = [
                f"{column.replace('_', ' ')} {_cell(old.get(column))}, now {_cell(row[column])}"
                for column in ("hit_rate", "static_ratio")
                if old and _cell(old.get(column)) != _cell(row[column])
            ]
            if changed:
                lines.append(f"- {regime}, {name}: {'; '.join(changed)}")
    return lines if len(lines) > 2 else [*lines, "Nothing that this card lists."]


def _known(runs: Mapping[str, int]) -> str:
    return f"{sum(runs.values())}, of {len(runs)} applications" if runs else "none"


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.{_DECIMALS}f}"


def _text(name: str) -> str:
    """A name from an event log, which may hold anything, as Markdown text."""
    printable = "".join(char for char in name if char.isprintable())[:100]
    return "`" + printable.replace("`", "'") + "`"


def _curve(losses: Sequence[float]) -> bytes:
    figure, (axes,) = _figure(1)
    axes.plot(range(1, len(losses) + 1), losses, color="#2b6cb0")
    axes.set_xlabel("round")
    axes.set_ylabel("loss (cross-entropy of a missed limit)")
    return _png(figure)


def _cost(metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> bytes:
    """A panel a regime: cost over best static's against the share of feasible limits met."""
    figure, panels = _figure(max(1, len(metrics)))
    for axes, (regime, rows) in zip(panels, metrics.items(), strict=False):
        for name, row in rows.items():
            if row["hit_rate"] is not None and row["static_ratio"] is not None:
                axes.plot(row["hit_rate"], row["static_ratio"], "o", label=name)
        axes.set_title(regime)
        axes.set_xlabel("share of feasible limits met")
        axes.grid(color="#e4e7eb")
        if rows:
            axes.legend(frameon=False, fontsize=8)
    panels[0].set_ylabel("cost / best static's")
    return _png(figure)


def _grid(table: Mapping[str, Any]) -> bytes:
    """Two heat maps N x T: share of the feasible limits met, and cost over best static's."""
    import numpy as np

    figure, panels = _figure(2)
    shown = (("hit", "share of feasible limits met"), ("ratio", "cost / best static's"))
    for axes, (key, title) in zip(panels, shown, strict=True):
        values = np.array(
            [[np.nan if value is None else value for value in row] for row in table[key]],
            dtype=float,
        )
        image = axes.imshow(values, aspect="auto", origin="lower", cmap="viridis")
        axes.set_xticks(range(len(table["T_s"])), [f"{limit_s:g}" for limit_s in table["T_s"]])
        axes.set_yticks(range(len(table["N"])), [str(most) for most in table["N"]])
        axes.set_xlabel("T in s")
        axes.set_title(title)
        figure.colorbar(image, ax=axes)
    panels[0].set_ylabel("N")
    return _png(figure)


def _figure(panels: int) -> tuple[Figure, Sequence[Any]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0 * panels, 4.0), dpi=90, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, panels, squeeze=False)[0]


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
