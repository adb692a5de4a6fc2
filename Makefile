# Two commands do everything: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
BIN := .venv/bin
# Nothing is reported to anybody by what we start.
export DVC_NO_ANALYTICS := 1
export FIFTYONE_DO_NOT_TRACK := true
export NO_ALBUMENTATIONS_UPDATE := 1
export HF_HUB_DISABLE_TELEMETRY := 1
# Compiled bytecode makes the many program starts of a pipeline three times faster.
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help install own demo test soak check bench bench-autolabel pythons lock doc docs clean
ALL ?=
ARGS ?=
IMAGES ?=
# Files of tests that run at the same time, each in a process with servers of its own.
TESTERS ?= 2

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | column -t -s $$'\t'

install: .venv/.installed .venv-labelstudio/.installed ## .venv and .venv-labelstudio, exact versions

.venv/.installed: requirements.lock pyproject.toml scripts/prerequisites.sh
	@scripts/prerequisites.sh $(PYTHON) install
	uv="$$(scripts/uv.sh $(PYTHON))"
	test -x $(BIN)/python || "$$uv" venv --quiet --python "$$(command -v $(PYTHON))" .venv
	"$$uv" pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	"$$uv" pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

.venv-labelstudio/.installed: requirements-labelstudio.lock
	@scripts/prerequisites.sh $(PYTHON) install
	uv="$$(scripts/uv.sh $(PYTHON))"
	test -x .venv-labelstudio/bin/python || "$$uv" venv --quiet --python "$$(command -v $(PYTHON))" .venv-labelstudio
	"$$uv" pip sync --quiet --python .venv-labelstudio/bin/python --require-hashes requirements-labelstudio.lock
	touch $@

demo: install ## from raw images to a published dataset, with simulated labelers
	@python -m demo.run

own: install ## this clone becomes a project of your own, nothing of the demo stays; IMAGES=PATH_OR_URL
	@scripts/own_project.sh "$(IMAGES)"

test: install ## every test, real servers included; fast ones first
	@scripts/prerequisites.sh $(PYTHON) test
	python -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder

soak: install ## the long tests; ARGS="SEED [EVENTS] [postgresql]" runs random months of work from that seed
	@scripts/prerequisites.sh $(PYTHON) test
	CURATE_MONTHS="$(ARGS)" python -m pytest -m soak --soak $(or $(firstword $(ARGS)),0) $(if $(ARGS),tests/integration/test_random_months.py)

check: .venv/.installed ## ruff, mypy --strict, import-linter, dvc.yaml against the code
	@ruff check .
	ruff format --check .
	mypy
	lint-imports
	python -m pytest -q tests/pipelines tests/test_params_doc.py

bench: install ## the measured comparisons of benchmarks/, into docs/benchmarks.md; ARGS="hashing --quick"
	@python -m benchmarks $(ARGS)

bench-autolabel: install ## images per second, memory and accuracy of the stage autolabel; ARGS="--quick"
	@python -m benchmarks autolabel $(ARGS)

lock: ## make both lock files anew from pyproject.toml (docs/maintaining.md)
	@scripts/lock.sh $(PYTHON)

doc: .venv/.installed ## docs/parameters.md from the models
	@curate params doc > docs/parameters.md.new && mv docs/parameters.md.new docs/parameters.md

docs: .venv/.installed ## the site of the documentation, into site/; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 mkdocs build --strict  # never --quiet: then no warning counts

pythons: ## the unit tests on every supported Python that is here; ARGS=tests/geometry
	@scripts/pythons.sh $(ARGS)

clean: ## remove what can be made again; keeps images, labels, what was shown and published (ALL=1: those too)
	@scripts/clean.sh $(ALL)
