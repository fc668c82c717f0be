#!/usr/bin/env bash
# Makes .venv with everything Kitwai and its tests need. Does nothing when it is up to date.
set -euo pipefail
cd "$(dirname "$0")/.."

# `make demo` and `make test` may begin at the same time: one of them installs, the other waits.
exec 9>.setup.lock
flock 9

wanted=$(cat requirements*.txt pyproject.toml lab/pyproject.toml scripts/setup.sh | sha256sum)
if [ "$(cat .venv/.installed 2>/dev/null || true)" = "$wanted" ]; then
    exit 0
fi

command -v python3.11 >/dev/null || { echo "setup: Python 3.11 is missing: install it." >&2; exit 1; }
if ! command -v java >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq openjdk-17-jre-headless
    else
        echo "setup: Java 17 is missing: install it (Spark needs it)." >&2
        exit 1
    fi
fi

# The daemons that clusters are measured with, and Postgres, for the tests that start their own:
# none may run as a service because of it.
daemons=()
command -v gmond >/dev/null || daemons+=(ganglia-monitor)
command -v gmetad >/dev/null || daemons+=(gmetad)
command -v pg_ctlcluster >/dev/null || daemons+=(postgresql)
command -v prometheus >/dev/null || daemons+=(prometheus)
command -v prometheus-node-exporter >/dev/null || daemons+=(prometheus-node-exporter)
if [ ${#daemons[@]} -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        policy=/usr/sbin/policy-rc.d
        if [ ! -e "$policy" ]; then
            trap 'rm -f /usr/sbin/policy-rc.d' EXIT
            printf '#!/bin/sh\nexit 101\n' > "$policy"
            chmod +x "$policy"
        fi
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "${daemons[@]}" >/dev/null; } \
            || echo "setup: without ${daemons[*]} the tests that use them are skipped." >&2
        systemctl disable "${daemons[@]}" >/dev/null 2>&1 || true
    else
        echo "setup: without ${daemons[*]} the tests that use them are skipped." >&2
    fi
fi

# The tests of containers run a Docker engine of their own, which needs root; without it they say so.
missing=()
command -v dockerd >/dev/null || missing+=(docker.io iptables)
command -v debootstrap >/dev/null || missing+=(debootstrap)
{ docker compose version || command -v docker-compose; } >/dev/null 2>&1 || missing+=(docker-compose)
if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null \
        || echo "setup: could not install ${missing[*]}: tests of Docker will be skipped." >&2
fi

# The tests of the page look at it in a real browser, and build it anew.
missing=()
command -v chromium >/dev/null || missing+=(chromium fonts-dejavu-core)
command -v npm >/dev/null || missing+=(nodejs npm)
if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null \
        || echo "setup: could not install ${missing[*]}: tests of the page will be skipped." >&2
fi

[ -x .venv/bin/python ] || python3.11 -m venv .venv
.venv/bin/pip install --quiet --upgrade uv
.venv/bin/uv pip install --quiet --python .venv/bin/python --compile-bytecode \
    -r requirements-dev.txt --editable . --editable ./lab
echo "$wanted" > .venv/.installed
