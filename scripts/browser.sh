#!/bin/sh
# Sees to a headless Chromium for the tests of Temporal's web UI: `make test`. Safe to run again.
# Installs one where it may, on Debian as root; elsewhere those tests are skipped without one.
set -eu

for name in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null 2>&1; then
        exit 0
    fi
done

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "No Chromium on the PATH: the tests of the web UI will be skipped." >&2
    exit 0
fi

get() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Acquire::http::Timeout=20 \
        -o Acquire::Retries=1 -o DPkg::Lock::Timeout=60 "$@" >/dev/null 2>&1
}

echo "Installing a headless Chromium for the tests of the web UI ..."
get update || true
get install --no-install-recommends chromium-headless-shell ||
    get install --no-install-recommends chromium ||
    echo "It could not be installed: the tests of the web UI will be skipped." >&2
