#!/usr/bin/env bash
# Says in one line each what a build on this machine lacks and no script of ours can bring. Rust and Python 3 are what a person installs.
set -euo pipefail

missing=0
lacks() {
    echo "missing: $1" >&2
    missing=1
}

command -v cargo >/dev/null || lacks "Rust: install it with rustup"
command -v cc >/dev/null || lacks "a C compiler and linker, which Rust calls: Debian's gcc and libc6-dev"
command -v python3 >/dev/null || lacks "Python 3, which fetches Envoy and Node"
if command -v python3 >/dev/null && ! python3 -m pip --version >/dev/null 2>&1; then
    python3 -c 'import venv, ensurepip' 2>/dev/null || lacks "Python's pip or its module venv: Debian's python3-venv"
fi
exit $missing
