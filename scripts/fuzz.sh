#!/bin/sh
# Feeds the tests that hypothesis draws cases for many more of them: scripts/fuzz.sh [--cases N] [WORD…]
#
# The fuzzer, Atheris, has packages for Linux on x86-64. Into $VENV, which `make setup` has made.
set -eu

cd "$(dirname "$0")/.."
VENV=${VENV:-.venv}

if ! "$VENV/bin/python" -c 'import atheris' 2>/dev/null; then
    if [ -z "${NO_UV:-}" ] && command -v uv >/dev/null 2>&1; then
        uv pip install --quiet --python "$VENV/bin/python" -r requirements/fuzz.txt
    else
        "$VENV/bin/python" -m pip install --quiet -r requirements/fuzz.txt
    fi
fi
exec "$VENV/bin/python" -m tests.fuzz.run "$@"
