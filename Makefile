# Needs Python 3.11 or newer; uses uv where it is on PATH, else plain pip.
SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.setup-done

# Tests wait more than they compute. Of a process that died, xdist cannot do what was left.
AT_ONCE := --numprocesses=3 --dist=loadfile --max-worker-restart=0

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help setup demo dev test check fuzz bench lint fmt lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with Flowrunner, its tools and a Temporal server
	@:

$(STAMP): pyproject.toml requirements/constraints.txt requirements/dev-server.txt scripts/setup.sh
	@VENV=$(VENV) sh scripts/setup.sh
	@touch $@

demo: setup ## Start Temporal and a worker, run a flow to its end, clean up
	@exec $(PY) -m scripts.demo

dev: setup ## Start Temporal and a worker and keep them running
	@FLOWS_DIR=$${FLOWS_DIR:-examples} exec $(VENV)/bin/flowrunner dev

test: setup ## Run every test, those on a real Temporal server and in a browser included
	@sh scripts/browser.sh
	@sh scripts/imap.sh
	@sh scripts/podman.sh
	@sh scripts/postgres.sh
	@exec $(PY) -m pytest $(AT_ONCE)

check: lint ## Lint, types, import contracts and the tests that need no server
	@exec $(PY) -m pytest -m "not server" $(AT_ONCE)

.PHONY: chaos soak uncached
uncached: setup ## Run the tests on real servers again, with workers that keep no run in memory
	@TEST_UNCACHED=1 exec $(PY) -m pytest -m server --timeout=300 $(AT_ONCE)

FAULTS := 500
chaos: setup ## Kill, freeze and slow real processes under real runs; FAULTS=100, SEED=7
	@exec $(PY) -m tests.chaos --faults $(FAULTS) $(if $(SEED),--seed $(SEED))

MINUTES := 60
soak: setup ## Run mixed flows for an hour, and see whether anything grows; MINUTES=5
	@exec $(PY) -m tests.chaos.soak --minutes $(MINUTES)

CASES := 1000000
fuzz: setup ## Feed tests a million cases, for hours; CASES=1000 for less
	@VENV=$(VENV) sh scripts/fuzz.sh --cases $(CASES)

bench: setup ## Measure the speed, beside workflows by hand; QUICK=1 for a short look
	@exec $(PY) -m benchmarks.speed $(if $(QUICK),--quick)

lint: setup ## Lint, types and import contracts
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

fmt: setup ## Format and fix what can be fixed
	$(VENV)/bin/ruff format
	$(VENV)/bin/ruff check --fix

lock: setup ## Renew requirements/constraints.txt (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --upgrade --extra dev \
		--no-annotate --no-header --no-emit-index-url --no-emit-find-links \
		-o requirements/constraints.txt pyproject.toml

clean: ## Remove everything that was made here, local runs included
	rm -rf $(VENV) .flowrunner .fuzz build dist *.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
