# `make run` puts you in front of a working desk; `make help` lists the rest.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The first Python that is new enough; name another with `make run PYTHON=...`.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
UV := $(BIN)/uv
# Whole files stay in one worker, so that a module's database is made once; two workers more than there are processors,
# because many tests wait for programs that they started.
TESTS ?= -n $$(( $$(getconf _NPROCESSORS_ONLN) + 2 )) --dist loadfile --no-loadscope-reorder

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

run: .venv/run.stamp ## start the desk on http://127.0.0.1:8080
	@exec $(BIN)/deskbell serve

test: .venv/dev.stamp ## run every test; `make test TESTS="tests/rules -x"` runs some
	@$(BIN)/pytest $(TESTS)

check: .venv/dev.stamp ## format, lint, types, imports and tests, as CI does
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/pytest $(TESTS)

models: .venv/dev.stamp ## 2,000 made-up nights and votes on each store, beside the simplest models; half an hour
	@ESCALATION_EXAMPLES=2000 VOTES_EXAMPLES=2000 $(BIN)/pytest $(TESTS) tests/flow/test_escalation_model.py tests/flow/test_votes_model.py

survive: .venv/dev.stamp ## kill, freeze and starve the desk at full size, and count what was lost
	@SURVIVE=full DESKBELL_TAMPERINGS=2000 DESKBELL_MUTATIONS=5000 RULES_EFFORT=20 $(BIN)/pytest tests/survival \
		tests/records/test_forgery.py tests/rules/test_business_time.py tests/rules/test_sla_clock.py \
		tests/adapters/slack/test_gate.py tests/web/test_refusals.py

bench: .venv/dev.stamp ## measure, and compare with other libraries
	@$(BIN)/python -m tests.bench

format: .venv/dev.stamp ## format the code and repair what can be repaired
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

# The run-time lock binds the other one: nobody tests what nobody runs.
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links pyproject.toml

lock: $(UV) ## pin the dependencies again; `make lock UP=--upgrade` takes newer ones
	@$(LOCK) $(UP) --output-file requirements.txt
	@$(LOCK) $(UP) --group dev --constraints requirements.txt --output-file requirements-dev.txt

audit: .venv/dev.stamp ## look the run-time lock up in the public lists of vulnerabilities
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off --requirement requirements.txt

sbom: .venv/dev.stamp ## write a bill of materials of the run-time lock to dist/
	@mkdir -p dist
	@PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
		--output-file dist/deskbell.cdx.json requirements.txt
	@echo dist/deskbell.cdx.json

clean: ## remove everything that the other targets made, except the desk's own data in var/
	@rm -rf .venv .browser .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build
	@find bot handlers storage config tests -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help run test check models bench format lock audit sbom clean

# Setting up: each step leaves a file, so that the second time costs nothing.

$(UV):
	@if [ -z "$(PYTHON)" ]; then echo "Deskbell needs Python 3.11 or newer, and none was found: install one (and its venv module)." >&2; exit 1; fi
	@echo "Setting up .venv, once"
	@$(PYTHON) -m venv .venv
	@awk '/^[a-z]/ { on = /^uv==/ } on' requirements-dev.txt > .venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.txt
	@touch $@

# The build backend comes from the lock as well, hashes included.
INSTALL = $(UV) pip install --quiet --python $(BIN)/python
PROJECT = $(INSTALL) --no-deps --build-constraints requirements-dev.txt --editable .

.venv/run.stamp: requirements.txt pyproject.toml | $(UV)
	@$(INSTALL) --require-hashes --requirement requirements.txt
	@$(PROJECT)
	@touch $@

.venv/dev.stamp: requirements-dev.txt pyproject.toml | $(UV)
	@$(INSTALL) --require-hashes --requirement requirements-dev.txt
	@$(PROJECT)
	@touch $@
