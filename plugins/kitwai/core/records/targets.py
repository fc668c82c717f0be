"""Lists that hold one entry for each target: the first entry is for a target of one worker."""

from __future__ import annotations

import math
from collections.abc import Sequence


def at_target(values: Sequence[float | None] | None, target: int) -> float | None:
    """The entry for ``target``, a number of workers.

    :returns: None where the list has no such entry, or one that is not finite: JSON has no word
        for infinity.
    """
    if values is None or not 1 <= target <= len(values):
        return None
    value = values[target - 1]
    return value if value is not None and math.isfinite(value) else None
