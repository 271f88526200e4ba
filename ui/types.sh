#!/bin/sh
# Writes the types of the API's document (src/api/schema.ts), or with --check says whether they are up to date.
set -eu
cd "$(dirname "$0")"
document=$(mktemp --suffix=.json)
trap 'rm -f "$document"' EXIT
(cd .. && "${PYTHON:-.venv/bin/python}" -m homeport openapi) >"$document"
npx openapi-typescript "$document" --output src/api/schema.ts "$@"
