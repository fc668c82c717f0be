#!/usr/bin/env bash
# Runs all tests; arguments choose some of them, as pytest's do.
# Tests that compute run beside those of real parts, which mostly wait. Tests that measure the
# machine come last, one by one.
set -uo pipefail
cd "$(dirname "$0")/.."
mkdir -p run
arguments=("$@")

# Where arguments choose none of one kind (pytest's status 5), the other kinds still count.
run() {
    local status=0
    nice -n "$1" .venv/bin/pytest "${@:2}" ${arguments[@]+"${arguments[@]}"} || status=$?
    [ "$status" -eq 5 ] && [ ${#arguments[@]} -gt 0 ] || return "$status"
}

failed=0
echo "Tests of real parts; beside them, with what they leave of the processors, tests/unit."
run 5 -n 2 tests/unit > run/test-unit.log 2>&1 &
unit=$!
trap 'pkill -TERM -P $unit 2>/dev/null' INT TERM
run 0 -n 4 --dist loadscope --alone=never tests/real || failed=$?
wait "$unit" || failed=$?
cat run/test-unit.log
run 0 --alone=only tests/real || failed=$?
exit "$failed"
