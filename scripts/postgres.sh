#!/bin/sh
# Sees to PostgreSQL, which the tests of the key-value store and of SQL use: `make test`. Safe to
# run again. Installs it, and the extension for vectors where Debian has it, where it may: on
# Debian as root. Elsewhere those tests are skipped without it.
set -eu

if ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null 2>&1; then
    exit 0
fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "No PostgreSQL here: the tests that need it will be skipped." >&2
    exit 0
fi

get() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Acquire::http::Timeout=20 \
        -o Acquire::Retries=1 -o DPkg::Lock::Timeout=60 "$@" >/dev/null 2>&1
}

# What is installed is for tests to start, on ports of their own: no service is to run on this host.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi

echo "Installing PostgreSQL for the tests that need it ..."
get update || true
get install --no-install-recommends postgresql ||
    echo "It could not be installed: the tests that need it will be skipped." >&2
for vectors in $(apt-cache --names-only search '^postgresql-[0-9]+-pgvector$' 2>/dev/null | cut -d' ' -f1); do
    get install --no-install-recommends "$vectors" || true
done
