#!/usr/bin/env bash
# Runs all tests; arguments choose some of them, as pytest's do.
# Tests that compute come first, two at a time. Tests of real parts wait half of their time: three
# at a time. Tests that measure the machine come last, one by one.
set -uo pipefail
cd "$(dirname "$0")/.."
arguments=("$@")
failed=0

# Where arguments choose none of one kind (pytest's status 5), the other kinds still count.
run() {
    local status=0
    .venv/bin/pytest "$@" ${arguments[@]+"${arguments[@]}"} || status=$?
    if [ "$status" -ne 0 ] && ! { [ "$status" -eq 5 ] && [ ${#arguments[@]} -gt 0 ]; }; then
        failed=$status
    fi
}

run -q -n 2 tests/unit
run -v -n 3 --dist loadscope --alone=never tests/real
run -v --alone=only tests/real
exit "$failed"
