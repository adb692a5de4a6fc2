#!/usr/bin/env bash
# Removes environments, caches and everything the pipeline can make again. Usage: scripts/clean.sh [1]
# Raw images, the labels on the embedded server, and published releases are kept unless the argument is 1.
set -euo pipefail
if [[ -x .venv/bin/curate ]]; then
  .venv/bin/curate labelstudio down || true
fi
made=(.venv .venv-labelstudio .cache .fiftyone .dvc/cache .dvc/tmp metrics plots dvc.lock gold/demo.json build dist site)
for stage in fingerprint ingest dedupe autolabel embeddings select push pull quality agreement release publish report; do
  made+=("data/$stage")
done
kept=(data .labelstudio)
rm -rf "${made[@]}"
find . -name __pycache__ -type d -prune -exec rm -rf {} +
if [[ ${1:-} == 1 ]]; then
  rm -rf "${kept[@]}"
else
  for path in "${kept[@]}"; do
    [[ ! -e $path ]] || echo "kept $path (make clean ALL=1 removes it, labels included)"
  done
fi
