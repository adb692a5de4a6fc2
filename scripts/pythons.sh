#!/usr/bin/env bash
# Runs the unit tests on every supported Python that is on this machine (PATH, pyenv, uv), each in an environment of its
# own with the locked packages. Usage: scripts/pythons.sh [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(scripts/uv.sh python3)
for version in 3.11 3.12 3.13; do
  python=$("$uv" python find --no-python-downloads "$version" 2>/dev/null) || python=$(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python 2>/dev/null | tail -1) || true
  if [[ -z $python ]]; then
    echo "Python $version: not on this machine, not tested"
    continue
  fi
  folder=.cache/pythons/$version
  [[ -x $folder/bin/python ]] || "$uv" venv --quiet --python "$python" "$folder"
  "$uv" pip sync --quiet --python "$folder/bin/python" --require-hashes requirements.lock
  "$uv" pip install --quiet --python "$folder/bin/python" --no-deps --editable .
  echo "Python $version: $("$folder/bin/python" --version)"
  PATH=$PWD/$folder/bin:$PATH python -m pytest -q -n 2 --dist loadfile -m "not integration" "${@:-tests}"
done
