#!/usr/bin/env bash
# Makes .venv. Does nothing where that is up to date.
#   scripts/setup.sh             what the product, the demo and the checks need
#   scripts/setup.sh unit        and the Python packages of the tests
#   scripts/setup.sh test        and the programs that tests of real parts run
set -euo pipefail
cd "$(dirname "$0")/.."
part=${1:-base}

# `make demo` and `make test` may begin at the same time: one of them installs, the other waits.
exec 9>.setup.lock
flock 9

case $part in
    base) packages=requirements-dev.txt ;;
    unit | test) packages=requirements-test.txt ;;
    *) echo "setup: there is no part '$part': base, unit or test." >&2; exit 2 ;;
esac

# Whether this part was made from the files as they are now; then it is done.
wanted=$(cat requirements*.txt pyproject.toml lab/pyproject.toml scripts/setup*.sh | sha256sum)
is_made() { [ "$(cat ".venv/.installed-$1" 2>/dev/null || true)" = "$wanted" ]; }
is_made "$part" && exit 0

command -v python3.11 >/dev/null || { echo "setup: Python 3.11 is missing: install it." >&2; exit 1; }
if ! command -v java >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq openjdk-17-jre-headless
    else
        echo "setup: Java 17 is missing: install it (Spark needs it)." >&2
        exit 1
    fi
fi

if ! is_made unit; then
    [ -x .venv/bin/python ] || python3.11 -m venv .venv
    .venv/bin/pip install --quiet --upgrade uv
    .venv/bin/uv pip install --quiet --python .venv/bin/python --compile-bytecode \
        -r "$packages" --editable . --editable ./lab
    echo "$wanted" > .venv/.installed-base
    if [ "$part" != base ]; then
        # Compiles the simulator's loops once: otherwise every process of the tests would.
        .venv/bin/python scripts/compile_simulator.py
        echo "$wanted" > .venv/.installed-unit
    fi
fi

if [ "$part" = test ]; then
    scripts/setup-tests.sh
    echo "$wanted" > .venv/.installed-test
fi
