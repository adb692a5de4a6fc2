#!/usr/bin/env bash
# Removes environments, caches and everything that `dvc repro` makes again from what stays. Usage: scripts/clean.sh [1]
# What nobody can make again stays unless the argument is 1: raw images; upright files and rows of raw files that are
# gone (data/ingest); who was to look at what, and what was shown (data/select, data/push); what people answered
# (data/pull, .labelstudio), decided in the app (.fiftyone) and who they are (data/people.csv); what was published
# (data/publish), and every earlier version of all this (dvc.lock names it, .dvc/cache holds it).
set -euo pipefail
if [[ -x .venv/bin/curate ]]; then
  .venv/bin/curate labelstudio down || true
fi
made=(.venv .venv-labelstudio .cache .dvc/tmp metrics plots gold/demo.json build dist site)
for stage in fingerprint dedupe autolabel embeddings quality agreement release report; do
  made+=("data/$stage")
done
kept=(data .labelstudio .fiftyone .dvc/cache dvc.lock)
rm -rf "${made[@]}"
find . -name __pycache__ -type d -prune -exec rm -rf {} +
if [[ ${1:-} == 1 ]]; then
  rm -rf "${kept[@]}"
else
  for path in "${kept[@]}"; do
    [[ ! -e $path ]] || echo "kept $path (make clean ALL=1 removes it, labels and what was shown included)"
  done
fi
