"""What a measured figure depends on besides the code: the machine."""

from __future__ import annotations

import os
import time
from typing import Any


def machine() -> dict[str, Any]:
    """``cores``, ``load_average`` (1, 5, 15 minutes) and ``measured_at`` (UTC) of this machine."""
    return {
        "cores": os.cpu_count(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
