#!/bin/sh
# Sees to Podman, the container engine that the tests of `container` use: `make test`. Safe to run
# again. Installs it where it may, on Debian as root; elsewhere those tests are skipped without it.
set -eu

have() {
    PATH="$PATH:/usr/sbin" command -v "$1" >/dev/null 2>&1
}

if have podman && have runc && have busybox; then
    exit 0
fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "No Podman here: the tests that run containers will be skipped." >&2
    exit 0
fi

get() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Acquire::http::Timeout=20 \
        -o Acquire::Retries=1 -o DPkg::Lock::Timeout=60 "$@" >/dev/null 2>&1
}

# What is installed is for tests to start: no service is to run on this host.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi

echo "Installing Podman for the tests that run containers ..."
get update || true
get install --no-install-recommends podman runc busybox-static ||
    echo "It could not be installed: the tests that run containers will be skipped." >&2
