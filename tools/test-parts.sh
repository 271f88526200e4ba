#!/usr/bin/env bash
# Bring the real components that the tests talk to: Chromium, PostgreSQL, git, curl, Docker Engine (never started),
# Pebble (an ACME directory), and npm's oidc-provider into a folder of its own.
# As root they come from Debian. Otherwise the tests say which suites they leave out; in CI they refuse to leave out any.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    tools/debian.sh chromium postgresql git curl docker.io busybox-static iproute2 iptables systemd dbus util-linux sudo nginx-light python3-minimal procps pebble redis-server openssh-client openssl
fi

parts=tools/oidc-provider
if command -v npm >/dev/null && ! cmp -s $parts/package-lock.json $parts/node_modules/.installed; then
    echo "Installing the OpenID provider of the tests into $parts/node_modules…"
    (cd $parts && npm ci --no-audit --no-fund --loglevel=error)
    cp $parts/package-lock.json $parts/node_modules/.installed
fi
