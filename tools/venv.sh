#!/usr/bin/env bash
# Make the virtual environment .venv for Homeport. On Debian as root, what Python lacks for that is installed first.
set -euo pipefail
cd "$(dirname "$0")/.."

python="${PYTHON:-python3}"
say() { printf 'make: %s\n' "$*" >&2; }

if ! command -v "$python" >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        tools/debian.sh python3 python3-venv
    else
        say "$python is not here. Install Python 3.11 or newer (Debian: apt-get install python3 python3-venv)."
        exit 1
    fi
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    say "$("$python" --version) is too old: Homeport needs Python 3.11 or newer. Name another one with PYTHON=…"
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        tools/debian.sh python3-venv
    else
        say "Python's venv module is missing. As root: apt-get install python3-venv"
        exit 1
    fi
fi
[ -x .venv/bin/python ] || "$python" -m venv .venv
