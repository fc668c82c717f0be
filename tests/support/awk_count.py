"""Counts of a log by awk: written from the format's description alone, it shares nothing with the
parser that it checks.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

# A header is found field by field: a time, perhaps a thread, a level, a class with its colon.
# `wrapped`: the header stands behind another one, so the last of a line's two counts.
_PATTERN = r"""
function unit(u) {
    sub(/i?B$/, "", u)
    return u == "" ? 1 : 1024 ^ index("KMGTPE", u)
}
function header(from,    i, n, parts, name, size) {
    for (i = from; i <= NF && i <= from + 12; i++) {
        if ($i !~ /^(TRACE|DEBUG|INFO|WARN|ERROR|FATAL)$/) continue
        name = $(i + 1)
        if (name !~ /:$/) return 0
        sub(/:$/, "", name)
        n = split(name, parts, ".")
        name = parts[n]
        sub(/\$.*/, "", name)
        if (name == "log") name = "Log"
        if (name == "StandaloneSchedulerBackend") name = "StandaloneScheduler"
        found_level = $i; found_name = name; found_at = i + 2
        return 1
    }
    return 0
}
function a_time(i) {
    return $i ~ /^[0-9][0-9]([0-9][0-9])?[-\/][0-9][0-9][-\/][0-9][0-9]$/ \
        && $(i + 1) ~ /^[0-9][0-9]:[0-9][0-9]:[0-9][0-9]([.,][0-9]+)?$/
}
{
    lines++
    if (!(a_time(1) && header(3))) { unparsed++; next }
    if (a_time(found_at) && header(found_at + 2)) wrapped++
    levels[found_level]++
    names[found_name]++
    for (i = found_at; i < NF; i++) {
        if (found_name == "MemoryStore" && $i == "size" && $(i - 1) == "(estimated")
            memory["MemoryStore"] += $(i + 1) * unit(substr($(i + 2), 1, length($(i + 2)) - 1))
        if (found_name == "BlockManagerInfo" && $i == "(size:" && $found_at == "Added")
            memory["BlockManagerInfo"] += $(i + 1) * unit(substr($(i + 2), 1, length($(i + 2)) - 1))
    }
}
END {
    printf "lines %d\nunparsed %d\nwrapped %d\n", lines, unparsed, wrapped
    for (name in levels) printf "level:%s %d\n", name, levels[name]
    for (name in names) printf "logger:%s %d\n", name, names[name]
    for (name in memory) printf "memory:%s %.0f\n", name, memory[name]
}
"""

# In Spark's own JSON layout the level is the second field and the logger the last.
_JSON = r"""
{ lines++ }
!/^\{"ts":/ { unparsed++; next }
{
    match($0, /"level":"[A-Z]+"/); level = substr($0, RSTART + 9, RLENGTH - 10)
    match($0, /"logger":"[^"]+"\}$/); name = substr($0, RSTART + 10, RLENGTH - 12)
    sub(/\$.*/, "", name)
    if (name == "log") name = "Log"
    if (name == "StandaloneSchedulerBackend") name = "StandaloneScheduler"
    levels[level]++
    names[name]++
    if (name == "MemoryStore" && match($0, /estimated size [0-9.]+ [KMGT]?/)) {
        split(substr($0, RSTART, RLENGTH), parts, " ")
        memory[name] += parts[3] * (parts[4] == "" ? 1 : 1024 ^ index("KMGT", parts[4]))
    }
    if (name == "BlockManagerInfo" && match($0, /"msg":"Added [^ ]+ in memory on [^ ]+ \(size: /)) {
        split(substr($0, RSTART + RLENGTH, 20), parts, " ")
        power = index("KMGT", substr(parts[2], 1, 1))
        memory[name] += parts[1] * (power == 0 ? 1 : 1024 ^ power)
    }
}
END {
    printf "lines %d\nunparsed %d\n", lines, unparsed
    for (name in levels) printf "level:%s %d\n", name, levels[name]
    for (name in names) printf "logger:%s %d\n", name, names[name]
    for (name in memory) printf "memory:%s %.0f\n", name, memory[name]
}
"""


def awk_count(path: Path, *, json: bool = False) -> dict[str, int]:
    """What awk counts in ``path``: by "lines", "unparsed", "level:X", "logger:X", "memory:X"."""
    done = subprocess.run(
        ["awk", _JSON if json else _PATTERN, str(path)], capture_output=True, text=True, check=True
    )
    pairs = (line.rsplit(" ", 1) for line in done.stdout.splitlines())
    return {name: int(count) for name, count in pairs}


def compare(counts, awk: dict[str, int], features) -> None:
    """That the parser's ``counts`` are awk's, line for line."""
    assert (counts.lines, counts.unparsed) == (awk["lines"], awk["unparsed"])
    assert dict(counts.levels) == {
        name.partition(":")[2]: count for name, count in awk.items() if name.startswith("level:")
    }
    assert counts.features == {name: awk.get(f"logger:{name}", 0) for name in features}
    assert counts.action_bytes == awk.get("memory:MemoryStore", 0)
    assert counts.transformation_bytes == awk.get("memory:BlockManagerInfo", 0)
