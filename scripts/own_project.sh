#!/usr/bin/env bash
# Makes this clone a project of one's own: what belongs to the demo's project goes (pipeline, parameters, categories,
# tables, labels, server), and what `curate init` writes comes. Code stays. Nothing is changed where something would be lost.
# Usage: scripts/own_project.sh IMAGES [further options of `curate init`]
set -euo pipefail
cd "$(dirname "$0")/.."
[[ -n ${1:-} ]] || { echo "name the images: make own IMAGES=PATH_OR_URL" >&2; exit 1; }
project=(dvc.yaml params.yaml taxonomy.yaml decisions.csv gold)
edited=$(git status --porcelain -- "${project[@]}" | awk '{print $2}' | paste -sd' ')
[[ -z $edited ]] || { echo "$edited: edited since the last commit; commit or undo that first, nothing was changed" >&2; exit 1; }
[[ ! -e data || -e data/demo/truth.json ]] || { echo "data/ is not the demo's: move it away first, nothing was changed" >&2; exit 1; }
images=$1
[[ $images == *://* ]] || images=$(realpath -- "$images")
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
curate init "$made/$(basename "$PWD")" --images "$images" "${@:2}" >/dev/null
curate labelstudio down >/dev/null 2>&1 || true
rm -rf "${project[@]}" data metrics plots dvc.lock .labelstudio
find "$made/$(basename "$PWD")" -maxdepth 1 -type f ! -name '.*' -exec cp {} . \;
echo "this clone is a project of $images: name the categories in taxonomy.yaml and the licence in sources.yaml; then"
echo "  curate doctor && curate labelstudio up && dvc repro"
