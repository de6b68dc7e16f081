# Makes .venv from a lock file, once per content of that file; sourced by the scripts beside it.
# usage: venv requirements.lock | venv requirements-dev.lock

venv() {
    local lock="$top/$1" stamp="$top/.venv/installed-$1" python=""
    if [ -f "$stamp" ] && cmp -s "$lock" "$stamp"; then
        return
    fi
    for candidate in python3 python3.11 python3.12 python3.13; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        echo "gk needs Python 3.11 or newer: apt-get install python3" >&2
        exit 78
    fi
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "gk needs Python's venv module: apt-get install python3-venv" >&2
        exit 78
    fi
    echo "gk: setting up .venv (once; about half a minute)" >&2
    [ -x "$top/.venv/bin/python" ] || "$python" -m venv "$top/.venv"
    "$top/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" 2>"$top/.venv/pip.log" || {
        cat "$top/.venv/pip.log" >&2
        echo "gk: the packages of $1 could not be installed; see above" >&2
        exit 75
    }
    cp "$lock" "$stamp"
}
