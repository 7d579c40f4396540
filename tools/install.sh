#!/usr/bin/env bash
# Installs what building and testing need, if it is missing, and says what it does. Debian and Ubuntu; elsewhere it says what to install.
#
#   install.sh build          libclang and a C compiler, for the parser
#   install.sh psql           psql, to talk to the server
#   install.sh clients VENV   psql, pgbench and a Python environment with two drivers, for the client tests
#   install.sh conformance VENV   the same and duckdb, for the conformance suites
set -euo pipefail

# apt_install PACKAGE...
apt_install() {
    if ! command -v apt-get >/dev/null; then
        echo "please install the equivalents of these Debian packages, then run this again: $*" >&2
        exit 1
    fi
    local sudo=()
    if [ "$(id -u)" -ne 0 ]; then
        sudo=(sudo)
    fi
    echo "installing with apt-get: $*"
    "${sudo[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# The directories where libclang.so may be; bindgen looks there too.
has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] && return 0
    compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null || compgen -G '/usr/lib/*/libclang*.so*' >/dev/null \
        || compgen -G '/usr/lib64/libclang*.so*' >/dev/null
}

install_build() {
    if ! command -v cargo >/dev/null; then
        echo "a Rust toolchain is missing: see https://rustup.rs (rust-toolchain.toml names the version, which rustup fetches)" >&2
        exit 1
    fi
    local missing=()
    has_libclang || missing+=(libclang-dev clang)
    command -v cc >/dev/null || missing+=(build-essential)
    [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
}

install_psql() {
    command -v psql >/dev/null || apt_install postgresql-client
}

# Debian keeps pgbench in the server's package, and installing that starts a server; so it is only unpacked, into DIR.
unpack_pgbench() {
    local dir=$1 package
    command -v apt-get >/dev/null || apt_install pgbench
    package=$(apt-cache depends postgresql | sed -n 's/.*Depends: \(postgresql-[0-9]*\)$/\1/p' | head -n 1)
    echo "unpacking pgbench from the package $package into $dir"
    mkdir -p "$dir"
    (cd "$dir" && apt-get download -qq "$package" && dpkg -x "$package"_*.deb . && rm "$package"_*.deb)
}

has_pgbench() {
    command -v pgbench >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/pgbench' >/dev/null \
        || compgen -G "$1/usr/lib/postgresql/*/bin/pgbench" >/dev/null
}

install_clients() {
    local venv=$1 postgresql
    postgresql=$(dirname "$venv")/postgresql
    install_psql
    has_pgbench "$postgresql" || unpack_pgbench "$postgresql"
    if [ ! -x "$venv/bin/python" ]; then
        command -v python3 >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null || apt_install python3 python3-venv
        echo "making a Python environment in $venv"
        python3 -m venv "$venv"
    fi
    if ! "$venv/bin/python" -c 'import psycopg, psycopg2' 2>/dev/null; then
        echo "installing the PostgreSQL drivers psycopg and psycopg2 in $venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check 'psycopg[binary]==3.3.*' 'psycopg2-binary==2.9.*'
    fi
}

install_conformance() {
    local venv=$1
    install_clients "$venv"
    if ! "$venv/bin/python" -c 'import duckdb' 2>/dev/null; then
        echo "installing duckdb in $venv, for the data and answers of TPC-H and TPC-DS"
        "$venv/bin/pip" install --quiet --disable-pip-version-check 'duckdb==1.1.3'
    fi
}

case "${1:-}" in
    build) install_build ;;
    psql) install_psql ;;
    clients) install_clients "${2:?the directory of the Python environment}" ;;
    conformance) install_conformance "${2:?the directory of the Python environment}" ;;
    *) sed -n '2,8p' "$0" >&2; exit 2 ;;
esac
