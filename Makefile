# The commands of the project. `make` alone prints them.
#
# TESTS names the tests that `make test` and `make test-all` choose from, by default all.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help
help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: $(READY) ## create .venv from requirements.lock (the other targets do it by themselves)

$(READY): pyproject.toml requirements.lock
	@command -v git >/dev/null || { echo "error: git is missing: install it with your system's package manager" >&2; exit 1; }
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer is missing: install it, or name one by 'make PYTHON=/path/to/python ...'" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(PYTHON) lacks the venv module: install it (Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "installing the packages of requirements.lock into .venv (half a minute)"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	@awk '/^uv==/ {on=1; print; next} on && /^ / {print; next} {on=0}' requirements.lock > .venv/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.lock
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(MAKE) identity
	@touch $@

# DVC keeps experiments as commits, which need an author: where git knows none, this checkout gets one.
.PHONY: identity
identity:
	@git config user.email >/dev/null || { \
		git config --local user.name modemap && git config --local user.email modemap@localhost && \
		echo "git knows no author: commits of this checkout are modemap's until you set 'git config user.name' and 'user.email'"; }

.PHONY: lock
lock: $(READY) ## write requirements.lock again from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --all-extras --group dev \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet --output-file requirements.lock

.PHONY: run
run: $(READY) ## train, evaluate, register, gate and promote on real flights
	@$(BIN)/modemap run

.PHONY: summary
summary: $(READY) ## what the last run came to, as Markdown, in summary.json and reports/comparison.html
	@$(BIN)/modemap summary --json summary.json --report reports/comparison.html | tee -a "$${GITHUB_STEP_SUMMARY:-/dev/null}"

.PHONY: pull push
pull push: $(READY) ## data and results from or to the DVC remote that DVC_REMOTE_URL names
	@$(BIN)/dvc remote add --quiet --local --force --default team "$${DVC_REMOTE_URL:?must name the DVC remote}"
	@$(BIN)/dvc $@ --run-cache $(if $(filter pull,$@),--allow-missing)

github-%: # the steps of the workflows that talk to GitHub; they need no package
	@PYTHONPATH=src "$(PYTHON)" -m modemap.orchestration.github.$*

.PHONY: ui
ui: $(READY) ## look at the runs: Prefect and MLflow on this machine, until Ctrl-C
	@$(BIN)/modemap ui

.PHONY: demo
demo: $(READY) ## the closed loop told on real months, with real servers, in demo/ (made anew; about three minutes)
	@rm -rf demo
	@$(BIN)/python -m examples.demo demo

.PHONY: up down
up: ## the service and all around it in containers: docs/compose.md (needs Docker)
	@COMMIT="$$(git rev-parse HEAD)" docker compose up --build --detach --wait
down: ## stop these containers; their volumes stay
	@docker compose down

.PHONY: check
check: $(READY) ## lint, formatting, types, import contracts, workflows, Dockerfiles, secrets
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/actionlint
	@$(BIN)/zizmor --offline --quiet .github
	@$(BIN)/hadolint Dockerfile deploy/hosting/Dockerfile
	@git ls-files -z | xargs -0 -n 500 -P 2 $(BIN)/detect-secrets-hook --baseline .secrets.baseline

.PHONY: test
test: check ## check, then the tests that need Python alone, but for the slow ones
	@$(BIN)/python -m pytest -n 2 -m "not slow and not system and not peers" $(TESTS)

.PHONY: test-all
test-all: $(READY) ## the others: slow ones, and what needs Debian's browser and servers, mounts, or peers
	@.ci/install-system
	@$(BIN)/python -m pytest -n 2 -p no:randomly -m "slow or system or peers" $(TESTS)

.PHONY: docs
docs: $(READY) ## build the documentation into site/, which needs no network and no server
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "open file://$(CURDIR)/site/index.html"

.PHONY: bench
bench: $(READY) ## measure the bars of docs/benchmarks.md; exit 1 when one does not hold
	@env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BIN)/python -m benchmarks

.PHONY: bench-billion
bench-billion: $(READY) ## the same for a billion values, in memory and from disk (22 GB of it)
	@env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BIN)/python -m benchmarks billion

.PHONY: bench-dask
bench-dask: $(READY) ## a Dask cluster of two processes beside one process of two threads
	@env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BIN)/python -m benchmarks dask

.PHONY: bench-scale
bench-scale: $(READY) ## how init and the stages grow with rows (ROWS=10000000; 450 bytes of disk each)
	@env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE MODEMAP_BENCH_ROWS=$(or $(ROWS),10000000) $(BIN)/python -m benchmarks scale

.PHONY: bench-race
bench-race: $(READY) ## a hundred promoters at once, a hundred rounds (RACE_PROCESSES, RACE_ROUNDS)
	@$(BIN)/python -m benchmarks race

.PHONY: bench-serve
bench-serve: $(READY) ## the service beside others, under load, overload, swaps, and for five minutes
	@env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BIN)/python -m benchmarks serve

.PHONY: bench-drift
bench-drift: $(READY) ## how often drift is found, rightly and wrongly (an hour or more), and what a check costs
	@env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BIN)/python -m benchmarks drift drift_speed

.PHONY: dist
dist: $(READY) ## wheel and sdist in dist/, checked: what the release workflow publishes
	@rm -rf dist
	@$(BIN)/uv build --quiet --offline --no-build-isolation --python $(BIN)/python --out-dir dist
	@$(BIN)/twine check --strict dist/*

.PHONY: clean
clean: ## remove outputs and caches; records of runs (mlruns, .prefect, DVC's cache, findings, searches) and .venv stay
	@rm -rf demo data models reports/*/ reports/*.parquet reports/*.html dist site .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@[ ! -d .modemap ] || find .modemap -mindepth 1 -maxdepth 1 -not -name findings -not -name search.db -exec rm -rf {} +
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
