#!/usr/bin/env bash
# Prints .env.example with every empty setting filled in: secrets, and the Docker socket's group.
#   scripts/env.sh > .env
set -euo pipefail
umask 077
cd "$(dirname "$0")/.."
while IFS= read -r line; do
    case $line in
        DOCKER_GID=) line+=$(stat -L -c %g "${DOCKER_SOCKET:-/var/run/docker.sock}") ;;
        [A-Z]*=) line+=$(head -c 32 /dev/urandom | base64 | tr '+/' '-_') ;;
    esac
    printf '%s\n' "$line"
done < .env.example
