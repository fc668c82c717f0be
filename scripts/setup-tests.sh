#!/usr/bin/env bash
# Installs the programs that tests of real parts run, and says why. Tests that lack one are skipped.
set -euo pipefail

missing=()
# need REASON PACKAGES COMMAND...: the packages are missing where one of the commands is.
need() {
    local reason=$1 packages=$2 command
    shift 2
    for command in "$@"; do
        if ! command -v "$command" >/dev/null; then
            echo "setup: $packages: $reason"
            read -ra found <<< "$packages"
            missing+=("${found[@]}")
            return
        fi
    done
}

need "the Docker engine that tests start for themselves" "docker.io iptables" dockerd
need "the base image of the tests' containers" debootstrap debootstrap
{ docker compose version || command -v docker-compose; } >/dev/null 2>&1 \
    || need "docker-compose.yaml as a whole" docker-compose docker-compose
need "a Postgres for Airflow and Kitwai's store" postgresql pg_ctlcluster
need "a source of metrics that Kitwai reads" ganglia-monitor gmond
need "a source of metrics that Kitwai reads" gmetad gmetad
need "a source of metrics that Kitwai reads" prometheus prometheus
need "the metrics that Prometheus collects" prometheus-node-exporter prometheus-node-exporter
need "a browser that looks at the page" "chromium fonts-dejavu-core" chromium
need "builds the page anew and runs its own tests" "nodejs npm" node npm

[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "setup: only root can install ${missing[*]}: the tests that use them are skipped." >&2
    exit 0
fi

# None of the daemons may run as a service because of the tests.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
fi
install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; }
apt-get update -qq || true
# All at once is faster; where that fails, whatever can be had is installed.
if ! install "${missing[@]}" >/dev/null; then
    for package in "${missing[@]}"; do
        install "$package" >/dev/null \
            || echo "setup: could not install $package: the tests that use it are skipped." >&2
    done
fi
systemctl disable ganglia-monitor gmetad postgresql prometheus prometheus-node-exporter \
    >/dev/null 2>&1 || true
