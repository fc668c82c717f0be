"""Which past runs had ended by a moment, so that a decision knows no run of its future."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from kitwai.core.forecast.past_runs import Record


class PastRuns:
    """Past runs by family, with the moment at which each run ended."""

    def __init__(self, history: Mapping[str, Sequence[tuple[Record, float]]]) -> None:
        """:param history: by family, each run with its end in epoch seconds. Where the end is not
        known: the moment by which the run is sure to have ended, inf if no moment is sure.
        """
        self._history = {family: tuple(runs) for family, runs in history.items()}
        self._ends = sorted(end for runs in self._history.values() for _, end in runs)
        self._before: dict[int, dict[str, tuple[Record, ...]]] = {}

    def before(self, moment: float) -> Mapping[str, tuple[Record, ...]]:
        """The runs that had ended by ``moment``, in the order in which they were given."""
        ended = bisect_right(self._ends, moment)
        if ended not in self._before:
            self._before[ended] = {
                family: tuple(record for record, end in runs if end <= moment)
                for family, runs in self._history.items()
            }
        return self._before[ended]
