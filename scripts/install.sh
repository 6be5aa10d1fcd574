#!/usr/bin/env bash
# Makes .venv with both packages (editable) and everything their tests need, and installs ffmpeg if it is missing.
# Needs a Python from 3.10 to 3.13, with which the pinned versions were tried (PYTHON=… names any). The script installs everything else.
# --for-tests also installs the system packages that the tests need, --for-cluster and --for-clients those of these targets as well.
# --for-lint also installs node_modules, with what checks the script of the Posts page.
# --next does the same as --for-tests, and makes .venv-next with the next Airflow.
# --docs makes .venv-docs with what builds the documentation site.
set -euo pipefail
cd "$(dirname "$0")/.."

newest=13
[ -z "${PYTHON:-}" ] || newest=99
venv=.venv pins=requirements/dev.txt oldest=10 targets="make demo, make ui, make test"
if [ "${1:-}" = --next ]; then
    venv=.venv-next pins=requirements/next.txt oldest=11 targets="make test-next"
elif [ "${1:-}" = --docs ]; then
    venv=.venv-docs pins=requirements/docs.txt oldest=11 targets="make docs"
fi

suitable() { "$1" -c "import sys; sys.exit(not (3, $oldest) <= sys.version_info[:2] <= (3, $newest))" 2>/dev/null; }

find_python() {
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10 /usr/bin/python3}; do
        if suitable "$name"; then
            "$name" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    echo "No Python from 3.$oldest to 3.13 found. Install one (Debian: apt-get install python3), or name it: make PYTHON=/path/to/python3" >&2
    exit 1
}

apt_install() {
    if ! command -v apt-get >/dev/null; then
        echo "Missing: $*. Install it with your system's package manager and run this again." >&2
        exit 1
    fi
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "Missing: $*. As root, run: apt-get install $* -- and then this again." >&2
            exit 1
        fi
        as_root=(sudo)
    fi
    echo "Installing $* with apt-get" >&2
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Where the system keeps certificate authorities, trust those: a company's own may be among them.
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
    export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"
fi

python=$(find_python)
command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null || apt_install ffmpeg
if [ -n "${1:-}" ] && [ "$1" != --docs ] && [ "$1" != --for-lint ]; then
    command -v chromium >/dev/null || apt_install chromium
    command -v curl >/dev/null || apt_install curl
    command -v node >/dev/null || apt_install nodejs
    command -v redis-server >/dev/null || apt_install redis-server
    command -v initdb >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || apt_install postgresql
fi
if [ "${1:-}" = --for-clients ] || [ "${1:-}" = --for-lint ]; then
    command -v npm >/dev/null || apt_install npm
fi
if [ "${1:-}" = --for-cluster ]; then
    command -v unshare >/dev/null || apt_install util-linux
    command -v faketime >/dev/null || apt_install faketime
fi

if ! [ .tools/.installed -nt requirements/uv.txt ]; then
    rm -rf .tools
    if ! "$python" -m venv .tools 2>/dev/null; then
        rm -rf .tools
        apt_install python3-venv # Debian keeps venv's pip in a package of its own
        "$python" -m venv .tools
    fi
    .tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
    touch .tools/.installed
fi

if ! [ "$venv/.installed" -nt "$pins" ] || ! [ "$venv/.installed" -nt pyproject.toml ] || ! [ "$venv/.installed" -nt sandbox/pyproject.toml ]; then
    [ -x "$venv/bin/python" ] && suitable "$venv/bin/python" || .tools/bin/uv venv --quiet --clear --python "$python" "$venv"
    .tools/bin/uv pip sync --quiet --python "$venv/bin/python" --require-hashes "$pins"
    .tools/bin/uv pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable . --editable sandbox
    touch "$venv/.installed"
    echo "Installed in $venv. Next: $targets." >&2
fi

# What the test of the gallery's agent needs beside .venv
if [ "${1:-}" = --for-tests ] && ! [ .tools/agent -nt requirements/agent.txt ]; then
    rm -rf .tools/agent
    .tools/bin/uv pip install --quiet --python "$venv/bin/python" --target .tools/agent --no-deps --require-hashes -r requirements/agent.txt
fi

if [ "${1:-}" = --for-lint ] && ! [ node_modules/.package-lock.json -nt package-lock.json ]; then
    npm ci --ignore-scripts --no-audit --no-fund >/dev/null
fi
