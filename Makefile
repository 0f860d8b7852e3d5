# Everything a person does here, one target each. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DISTRIBUTIONS := libs/common libs/client services/discovery services/allocator services/node-prep services/publisher
SOURCES := libs services tests examples tools bench deploy
# Once on a machine of CI, and each time: so that a slow mirror or a stuck kubelet ends the run, and not its runner.
BUILD_SECONDS ?= 1500
CLUSTER_TEST_SECONDS ?= 1800
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 14

.PHONY: setup
setup: $(VENV)/.installed ## .venv with every pinned, hashed package and the slicewire commands

$(VENV)/.installed: requirements.lock bootstrap.lock pyproject.toml $(DISTRIBUTIONS:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Slicewire needs Python 3.11 or newer; $(PYTHON) is {v.major}.{v.minor}. Set PYTHON=/path/to/python3.11")'
	@echo "[1/4] virtual environment in $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV) || { echo "python3 has no venv module; on Debian: apt install python3-venv"; exit 1; }
	@echo "[2/4] installer (hashes checked)"
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r bootstrap.lock
	@echo "[3/4] $$(grep -c '==' requirements.lock) pinned packages (hashes checked)"
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --require-hashes -r requirements.lock 2>&1 | grep -E 'Resolved|Prepared|Installed|error|hint' || true
	@echo "[4/4] Slicewire: $(notdir $(DISTRIBUTIONS))"
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install -q --no-deps --no-build-isolation $(DISTRIBUTIONS:%=-e ./%)
	@touch $@

.PHONY: demo
demo: setup ## one claim, end to end: real NATS, simulated GPUs, every step shown
	@$(BIN)/python examples/demo.py

.PHONY: test
test: setup ## the fast suite
	@$(BIN)/pytest -n 2 -m "not slow and not e2e and not gpu and not cluster"

.PHONY: check
check: setup ## format, lint, types, import contracts, generated files, every test tier
	@echo "== format";    $(BIN)/ruff format --check $(SOURCES)
	@echo "== lint";      $(BIN)/ruff check $(SOURCES)
	@echo "== types";     $(BIN)/mypy $(SOURCES)
	@echo "== imports";   $(BIN)/lint-imports --no-cache
	@echo "== generated"; $(BIN)/python tools/generate.py --check && $(BIN)/python deploy/locks.py --check
	@if [ "$$CI" = true ]; then $(MAKE) --no-print-directory test-programs; fi
	@echo "== tests";     $(BIN)/pytest -n 2 -m "not cluster"
	@echo "== cluster";   if why=$$($(BIN)/python -m tests.cluster ready 2>&1); then timeout $(CLUSTER_TEST_SECONDS) $(BIN)/pytest tests/cluster -p no:xdist || \
			{ echo "!!! on two cores a whole Kubernetes may be late: once more from the start"; \
			timeout $(CLUSTER_TEST_SECONDS) $(BIN)/pytest tests/cluster -p no:xdist; }; \
		else echo "!!! CLUSTER TESTS SKIPPED: $$why"; fi

.PHONY: test-programs
test-programs: setup ## the Prometheus, Jaeger and Kubernetes that tests use: 20 minutes, once; needs root, Go and Debian's packages
	@for tests in alerts jaeger cluster; do echo "== programs of tests/$$tests"; \
		timeout $(BUILD_SECONDS) $(BIN)/python -m tests.$$tests build || \
		echo "!!! not built ($$?), and its tests will be skipped: above is why, or $(BUILD_SECONDS) s were not enough"; done

.PHONY: soak
soak: setup ## users and faults for DURATION seconds from a SEED, then every rule checked: violations: N
	@$(BIN)/python -m tests.soak.run --seed $(or $(SEED),1) --duration $(or $(DURATION),60)

.PHONY: fault-matrix
fault-matrix: setup ## node-prep killed (kill -9) at every step and disk operation of every kind, one table: make fault-matrix KIND=MIG
	@$(BIN)/python -m tests.faults.matrix $(KIND)

.PHONY: fault-matrix-command
fault-matrix-command: setup ## the same for the real command, with a real bus and kubelet sockets, at chosen moments
	@$(BIN)/python -m tests.faults.command $(KIND)

.PHONY: cluster
cluster: setup ## a real Kubernetes 1.36 on this machine: no container engine, root, Go for the first time
	@$(BIN)/python -m tests.cluster up

.PHONY: test-cluster
test-cluster: cluster ## every scenario on that Kubernetes: real scheduler, kubelet and container runtime
	@$(BIN)/pytest tests/cluster -p no:xdist

.PHONY: cluster-down
cluster-down: setup ## stop it; nothing is left behind
	@$(BIN)/python -m tests.cluster down

.PHONY: bench
bench: setup ## the allocator beside Kubernetes' own on the same inputs, then the running service
	@$(BIN)/python -m bench

.PHONY: bench-service
bench-service: setup ## durable answers over a real bus, and restarts, on 5,000 nodes
	@$(BIN)/python -m bench.service

.PHONY: bench-scale
bench-scale: setup ## what a claim costs from 100 to 5,000 nodes, drawn as docs/performance-scale.svg
	@$(BIN)/python -m bench.scale

.PHONY: bench-fleet
bench-fleet: setup ## a GPU to the bus, an agent's start and rest, and what a fresh follower waits for
	@$(BIN)/python -m bench.fleetwide

.PHONY: bench-prep
bench-prep: setup ## what it costs to prepare a claim, asked as a kubelet asks
	@$(BIN)/python -m bench.prep

.PHONY: bench-publisher
bench-publisher: setup ## slices of 5,000 nodes, and one change until Kubernetes has it
	@$(BIN)/python -m bench.publisher

.PHONY: bench-packing
bench-packing: setup ## what packing places more than first fit, and how near the optimum it is
	@$(BIN)/python -m bench.packing

.PHONY: format
format: setup ## rewrite the sources the way ruff wants them
	@$(BIN)/ruff format $(SOURCES) && $(BIN)/ruff check --fix $(SOURCES)

.PHONY: generate
generate: setup ## docs/asyncapi.json, docs/messages.md, docs/metrics.md and the gRPC code from their sources
	@$(BIN)/python tools/generate.py

.PHONY: lock
lock: setup ## requirements.lock again, from the pyproject files
	@$(BIN)/uv lock -q --upgrade
	@$(BIN)/uv export -q --all-packages --all-extras --all-groups --no-header --no-annotate --no-emit-workspace -o requirements.lock
	@$(BIN)/python deploy/locks.py

.PHONY: clean
clean: ## remove the environment and every cache
	@rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis uv.lock
