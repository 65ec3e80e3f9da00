# The same few verbs for people and CI. The stamp files make a second call quick.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
BENCH := $(VENV)/.installed-bench
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt
# One process for each core, each with one thread. Tests of one file share a process, and what they build once.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help install run check test test-all torture audit-dependencies docs bench fetch clean

help: ## say what each verb does
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

install: $(DEV) ## create .venv with everything that running, checking and testing need

run: $(RUNTIME) ## install what running needs and run the whole method on the embedded model and table
	$(BIN)/rote run --resume $(ARGS)

check: $(DEV) ## format, lint, types, import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(DEV) ## the tests that take seconds, on every core; a part of them with ARGS="tests/facts"
	$(PYTEST) -m "not slow" $(ARGS)

test-all: test ## those, and then the slow ones
	$(PYTEST) -m slow $(ARGS)

torture: $(DEV) ## kill, damage, fill up and fuzz real processes for half an hour, and count what comes of it; a part with ARGS="kills --seed 3"
	$(BIN)/python -m tests.torture $(ARGS)

audit-dependencies: $(DEV) ## licences of all that Rote needs and, with a network, the weaknesses that are known of it
	$(BIN)/python scripts/audit_dependencies.py

docs: $(DEV) ## the pages of docs/ as a site, in docs/build
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/build

bench: $(BENCH) ## time Rote beside its peers and write benchmarks/RESULTS.md; a part with ARGS="training --pairs 3"
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks $(ARGS)

fetch: $(DEV) ## download the real model that the tests marked `real` teach
	$(BIN)/rote models fetch smollm2-135m

clean: ## remove .venv and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e ".[dev]"
	@touch $(RUNTIME) $@

$(BENCH): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e ".[bench]"
	@touch $(RUNTIME) $@
