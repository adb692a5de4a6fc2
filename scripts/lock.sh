#!/usr/bin/env bash
# Makes both lock files anew: names, versions and hashes, no addresses. Usage: scripts/lock.sh PYTHON
set -euo pipefail
uv=$(scripts/uv.sh "$1")
options=(--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet)
"$uv" pip compile pyproject.toml --all-extras --group test-weights "${options[@]}" --upgrade --output-file requirements.lock
printf '%s\n' 'label-studio==1.23.2' 'gunicorn>=25' | "$uv" pip compile - "${options[@]}" --upgrade --output-file requirements-labelstudio.lock
