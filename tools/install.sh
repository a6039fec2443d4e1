#!/usr/bin/env bash
# Install the locked packages and this one into .venv (created if need be). Run by make, from the repository root.
#
#   VENV=dir     use this existing environment as it is: only poseur_lib is added to it, editable, and a requirement
#                that it does not meet is named. (A dir that does not exist is created and filled like .venv.)
#   PYTHON=name  the Python 3.11 or 3.12 that creates the environment; default: the first one found.
#
# Does nothing where the environment's stamp tells that this lock and this pyproject.toml are installed already.
set -euo pipefail

fail() { echo "install: $*" >&2; exit 1; }

supported() { "$@" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' >/dev/null 2>&1; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        supported "$PYTHON" || fail "PYTHON=$PYTHON is not Python 3.11 or 3.12 ($("$PYTHON" --version 2>&1 || true))"
        echo "$PYTHON"
        return
    fi
    for name in python3 python3.12 python3.11 python; do
        if supported "$name"; then echo "$name"; return; fi
    done
    fail "needs Python 3.11 or 3.12 and found $(python3 --version 2>&1 | head -n 1): install one, or name it with PYTHON="
}

create() {
    local python
    python=$(find_python)
    [ "$(uname -sm)" = "Linux x86_64" ] ||
        fail "requirements.lock is for Linux x86_64, this is $(uname -sm): make an environment yourself and give VENV="
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        fail "$python has no venv module: install it (Debian, Ubuntu: apt install python$version-venv) or give VENV="
    fi
    echo "install: creating $venv with $("$python" --version), then about 3 GB of downloads and 6.5 GB of disk"
    "$python" -m venv --clear "$venv"
}

venv=${VENV:-.venv}
stamp="$venv/.poseur_lib-installed"
wanted="$PWD $(cat requirements.lock pyproject.toml | sha256sum)"
existing=no

if [ -x "$venv/bin/python" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    exit 0
fi
if [ -n "${VENV:-}" ] && [ -e "$venv" ] && [ ! -f "$stamp" ]; then
    existing=yes
    [ -x "$venv/bin/python" ] || fail "VENV=$venv is no Python environment: it has no bin/python"
elif ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    create
fi
supported "$venv/bin/python" ||
    fail "$venv holds $("$venv/bin/python" --version 2>&1), not 3.11 or 3.12: remove it, or give another VENV="

pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

# setuptools warns at every editable install that a folder may be named like the package.
install_poseur_lib() { PYTHONWARNINGS=ignore pip install --quiet --no-deps --no-build-isolation --editable .; }
if [ "$existing" = no ]; then
    pip install --quiet --quiet --require-hashes -r requirements.lock
    install_poseur_lib
    printf '%s\n' "$wanted" > "$stamp"
else
    "$venv/bin/python" tools/check_environment.py
    if ! "$venv/bin/python" tools/check_environment.py --editable; then
        install_poseur_lib
    fi
fi
echo "install: $venv is ready"
