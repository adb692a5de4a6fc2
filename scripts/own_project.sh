#!/usr/bin/env bash
# Makes this clone a project of one's own: what belongs to the demo's project goes (pipeline, parameters, categories,
# tables, labels, server), and what `curate init` writes comes. Code stays. Nothing is changed where something would be lost.
# Usage: scripts/own_project.sh IMAGES [further options of `curate init`]
set -euo pipefail
cd "$(dirname "$0")/.."
refuse() { echo "$1; nothing was changed" >&2; exit 1; }
[[ -n ${1:-} ]] || refuse "name the images: make own IMAGES=PATH_OR_URL"
project=(dvc.yaml params.yaml taxonomy.yaml decisions.csv gold)
written=(sources.yaml guideline.md description.md)
made=(data metrics plots dvc.lock .labelstudio)
edited=$(git status --porcelain -- "${project[@]}" "${written[@]}" | awk '{print $2}' | paste -sd' ')
[[ -z $edited ]] || refuse "$edited: edited since the last commit, commit or undo that first"
for one in "${made[@]}"; do
  [[ ! -e $one || -e data/demo/truth.json ]] || refuse "$one is not the demo's: move it away first"
done
images=$1
if [[ $images != *://* ]]; then
  images=$(realpath -m -- "$images")
  for one in "${project[@]}" "${made[@]}"; do
    [[ $images/ != "$PWD/$one/"* ]] || refuse "$images lies in $one, which goes: move the images first"
  done
fi
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
curate init "$new/$(basename "$PWD")" --images "$images" "${@:2}" >/dev/null
curate labelstudio down >/dev/null 2>&1 || true
rm -rf "${project[@]}" "${made[@]}"
find "$new/$(basename "$PWD")" -maxdepth 1 -type f ! -name '.*' -exec cp {} . \;
echo "this clone is a project of $images: name the categories in taxonomy.yaml and the license in sources.yaml; then"
echo "  curate doctor && curate labelstudio up && dvc repro"
