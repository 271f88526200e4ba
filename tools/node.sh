#!/usr/bin/env bash
# Say clearly when Node.js, which builds the web pages, is missing or too old.
set -euo pipefail
wanted=20

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    printf 'make: Node.js %s or newer with npm is needed to build the web pages: see https://nodejs.org/\n' "$wanted" >&2
    exit 1
fi
if [ "$(node -p 'process.versions.node.split(".")[0]')" -lt "$wanted" ]; then
    printf 'make: Node.js %s is too old to build the web pages: version %s or newer is needed.\n' "$(node --version)" "$wanted" >&2
    exit 1
fi
