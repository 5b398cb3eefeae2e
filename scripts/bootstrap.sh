#!/usr/bin/env bash
# Build or complete .venv from a locked requirement file: scripts/bootstrap.sh embedded|dev
# Does nothing when the lock that is asked for, or a larger one, is installed already.
set -euo pipefail
cd "$(dirname "$0")/.."

extra=${1:?usage: scripts/bootstrap.sh embedded|dev}
lock=requirements/$extra.txt
[ -f "$lock" ] || { echo "There is no $lock." >&2; exit 2; }

fingerprint() { # the lock, the entry points and the place: scripts in .venv/bin name their interpreter by full path
    { cat "requirements/$1.txt" pyproject.toml; pwd; } | sha256sum | cut -c1-64
}
installed() {
    [ -x .venv/bin/python ] && [ -f ".venv/.autonoe-$1" ] && [ "$(cat ".venv/.autonoe-$1")" = "$(fingerprint "$1")" ]
}
done_already() { installed "$extra" || { [ "$extra" = embedded ] && installed dev; }; }
done_already && exit 0

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 /usr/bin/python3 /usr/local/bin/python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "Autonoe needs Python 3.11 or newer and found none. On Debian 12: apt-get install python3" >&2
    return 1
}

create_venv() {
    local python
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then # Debian keeps ensurepip in a package of its own
        scripts/system-package.sh python3-venv "the virtual environment"
    fi
    "$python" -m venv --clear .venv
}

# uv reads neither pip's configuration nor its variables: hand over the mirror and the certificates that this machine uses.
follow_pip_settings() {
    local key value
    while IFS='=' read -r key value; do
        value=${value#\'} value=${value%\'}
        case "$key" in
            *.index-url) export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$value}" ;;
            *.extra-index-url) export UV_INDEX="${UV_INDEX:-${value//\\n/ }}" ;;
            *.find-links) [ -e "$value" ] && export UV_FIND_LINKS="${UV_FIND_LINKS:-$value}" ;;
            *.cert) export SSL_CERT_FILE="${SSL_CERT_FILE:-$value}" ;;
        esac
    done < <(.venv/bin/python -m pip config list 2>/dev/null)
}

install_uv() { # by pip, at the version and hashes of the lock
    local pin
    pin=$(mktemp)
    awk '/^uv==/ { found = 1 } found { print } found && !/\\$/ { exit }' "$lock" > "$pin"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement "$pin"
    rm -f "$pin"
}

# Two targets that run at once (make -j, two shells) must not build the same folder.
exec 9> .bootstrap.lock
flock 9
done_already && exit 0

started=$SECONDS
if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
    || [ "$(cat .venv/.autonoe-place 2>/dev/null || pwd)" != "$(pwd)" ]; then
    create_venv
fi
pwd > .venv/.autonoe-place
echo "Installing $(grep -c '^[a-z0-9].*==' "$lock") locked packages into .venv ..." >&2
install_uv
follow_pip_settings
# install, not sync: `make up` after `make test` leaves the development tools where they are.
# Compiled at once: accounts with a UID of their own cannot write here, and would compile at every start.
.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes --compile-bytecode --requirement "$lock"
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
fingerprint "$extra" > ".venv/.autonoe-$extra"
echo "Installed in $((SECONDS - started)) s." >&2
