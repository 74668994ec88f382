# Everything a person does here, by name. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_DIR ?= demo-data
PIN := $(BIN)/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --strip-extras

.DEFAULT_GOAL := help
.PHONY: help demo test lint e2e bench generate lock clean

help:  ## what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "rollout-metrics needs Python 3.11 or newer; set PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo 'no virtual environment could be made: on Debian and Ubuntu, apt-get install python3-venv' >&2; exit 1; }
	@echo 'installing pinned dependencies into $(VENV) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: $(STAMP)  ## the simulated company, collected and published; Ctrl-C stops, a second start continues
	@$(BIN)/rollout-metrics demo --directory $(DEMO_DIR)

test: $(STAMP)  ## all tests but those that drive the program and real servers end to end
	@$(BIN)/python -m pytest -n auto --dist loadfile -m "not e2e"

lint: $(STAMP)  ## format, lint, types, layers, generated files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/rollout-metrics generate --check

e2e: $(STAMP)  ## the tests with real servers and a real browser; each is skipped, with its reason, where its server is not installed
	@$(BIN)/python -m pytest -n auto --dist loadfile -m e2e -rs

# what is compared with lives apart: it pins other versions of what we use
.venv-bench/.installed: requirements/bench.txt
	@test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/bench.txt
	@touch $@

# what the end-to-end tests play on lives apart too: the program does not depend on it
.venv-tryton/.installed: requirements/tryton.txt
	@test -x .venv-tryton/bin/python || $(PYTHON) -m venv .venv-tryton
	@.venv-tryton/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/tryton.txt
	@touch $@

bench: $(STAMP) .venv-bench/.installed  ## benchmarks, as ratios from interleaved runs
	@$(BIN)/python -m benchmarks

generate: $(STAMP)  ## write rules, alerts, dashboards and documents anew
	@$(BIN)/rollout-metrics generate

lock: $(STAMP)  ## pin the newest allowed dependencies
	@$(PIN) --extra postgres --extra parquet --output-file requirements/run.txt pyproject.toml
	@$(PIN) --all-extras --constraint requirements/run.txt --output-file requirements/dev.txt pyproject.toml
	@$(PIN) --output-file requirements/bench.txt requirements/bench.in
	@$(PIN) --output-file requirements/tryton.txt requirements/tryton.in

clean:  ## remove the environments and the demo's data
	@rm -rf $(VENV) .venv-bench .venv-tryton $(DEMO_DIR) build dist src/*.egg-info
