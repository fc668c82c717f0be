"""The baselines that every policy is judged against, as controllers.

Each class states its formula and constants. `make` builds baselines by name. A baseline with a
margin is built once for each margin, under the name ``NAME@0.80``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from kitwai.errors import InvalidInputError
from kitwai.sim.baselines.lookahead import Lookahead
from kitwai.sim.baselines.predictive import Ernest, Interpolation, Linear, RemainingWork
from kitwai.sim.baselines.reactive import (
    CpuThreshold,
    Dask,
    Databricks,
    Dataproc,
    Hpa,
    SparkDynamicAllocation,
)
from kitwai.sim.judging import Constant, Controller

MARGINS = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6)
"""Shares of the limit that baselines with a margin plan for."""

CHEATING = ("lookahead-true",)
"""Yardsticks that know what no policy can; no part of the frontier."""

_PLAIN: Mapping[str, Callable[[], Controller]] = {
    "always-N": Constant,
    "cpu-threshold": CpuThreshold,
    "hpa-cpu": lambda: Hpa("cpu", 0.7),
    "hpa-backlog": lambda: Hpa("backlog", 1.0),
    "dataproc": Dataproc,
    "dask": Dask,
    "spark-da": SparkDynamicAllocation,
    "databricks": Databricks,
    "lookahead-true": lambda: Lookahead(0.98, true=True),
}
_WITH_MARGIN: Mapping[str, Callable[[float], Controller]] = {
    "linear": Linear,
    "ernest": Ernest,
    "interpolation": Interpolation,
    "remaining-work": RemainingWork,
    "mpc": lambda margin: Lookahead(margin, reach=2),
    "lookahead": Lookahead,
}
NAMES = (*_PLAIN, *_WITH_MARGIN)
"""All that `make` knows, besides ``static@n``."""


def make(
    names: Sequence[str] | None = None, margins: Sequence[float] = MARGINS
) -> dict[str, Controller]:
    """Controllers by name.

    :param names: of `NAMES` (one with a margin: at all ``margins``), ``NAME@0.80`` or ``static@3``;
        None: all of `NAMES`.
    :raises InvalidInputError: a name is unknown, or a margin does not lie in (0, 1].
    """
    made: dict[str, Controller] = {}
    for name in NAMES if names is None else names:
        base, _, given = name.partition("@")
        if base in _WITH_MARGIN:
            for margin in [_margin(name, given)] if given else margins:
                made[f"{base}@{margin:.2f}"] = _WITH_MARGIN[base](margin)
        elif base == "static" and re.fullmatch("[1-9][0-9]*", given):
            made[name] = Constant(int(given))
        elif name in _PLAIN:
            made[name] = _PLAIN[name]()
        else:
            raise InvalidInputError(
                f"There is no policy {name!r}: name some of {', '.join(NAMES)} or static@3; "
                f"{', '.join(_WITH_MARGIN)} also with a margin, as lookahead@0.80."
            )
    return made


def _margin(name: str, given: str) -> float:
    try:
        margin = float(given)
    except ValueError:
        margin = 0.0
    if not 0.0 < margin <= 1.0:
        raise InvalidInputError(f"The margin of {name!r} must be a number in (0, 1].")
    return margin
