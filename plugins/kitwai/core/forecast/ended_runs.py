"""Past runs by the moment at which they had ended: what could be known when a decision was made."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from kitwai.core.forecast.past_runs import Record


class PastRuns:
    """Past runs by family, of which only those count that had ended by a moment."""

    def __init__(self, history: Mapping[str, Sequence[tuple[Record, float]]]) -> None:
        """:param history: by family, each run with its end, or the moment by which it is sure to
        have ended (epoch seconds; inf: never known).
        """
        self._history = {family: tuple(runs) for family, runs in history.items()}
        self._ends = sorted(end for runs in self._history.values() for _, end in runs)
        self._before: dict[int, dict[str, tuple[Record, ...]]] = {}

    def before(self, moment: float) -> Mapping[str, tuple[Record, ...]]:
        """Those that had ended by ``moment``, in the order in which they were given."""
        ended = bisect_right(self._ends, moment)
        if ended not in self._before:
            self._before[ended] = {
                family: tuple(record for record, end in runs if end <= moment)
                for family, runs in self._history.items()
            }
        return self._before[ended]
