#!/usr/bin/env bash
# Prints the path of a uv: the one on PATH, or one installed into .cache/uv-tool. Usage: scripts/uv.sh PYTHON
set -euo pipefail
if command -v uv; then
  exit 0
fi
tool=.cache/uv-tool
if [[ ! -x $tool/bin/uv ]]; then
  "$1" -m venv "$tool" >&2 || { echo "missing: python's venv module: apt-get install python3-venv" >&2; exit 1; }
  "$tool/bin/python" -m pip install --quiet --disable-pip-version-check uv >&2
fi
echo "$PWD/$tool/bin/uv"
