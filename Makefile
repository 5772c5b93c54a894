.DEFAULT_GOAL := help
.PHONY: help setup demo demo-cloud test lint types simulate bench format lock clean
.NOTPARALLEL:

SEEDS ?= 2000
PYTEST_ARGS ?= -n auto
BIN := .venv/bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/local ## .venv with what the laptop needs; a second time costs nothing

demo: .venv/local ## run the sample pipeline to its end and say where the results are
	@$(BIN)/onward demo

demo-cloud: .venv/local ## the same through the cloud's own functions, on Google's emulators and stand-ins
	@$(BIN)/onward demo --emulators

test: lint types ## lint, type-check and run every test
	$(BIN)/pytest $(PYTEST_ARGS)

lint: .venv/dev ## style, format and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: .venv/dev ## mypy --strict
	$(BIN)/mypy

simulate: .venv/dev ## SEEDS=2000 random worlds with faults, every invariant checked (SEED=7: that one, traced)
	PYTHONPATH=tests $(BIN)/python -m simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

bench: .venv/local ## speed beside the disk's limit and the smallest possible engine
	$(BIN)/python -m bench

format: .venv/dev ## format the code and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

LOCK := $(BIN)/uv pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

lock: .venv/local ## pin and hash what pyproject.toml asks for (UPGRADE=--upgrade: the newest of it)
	$(LOCK) $(UPGRADE) pyproject.toml -o requirements.txt
	$(LOCK) $(UPGRADE) --group setup -o .ci/requirements-setup.txt
	$(LOCK) $(UPGRADE) -c requirements.txt -c .ci/requirements-setup.txt \
		pyproject.toml --extra local -o .ci/requirements-local.txt
	$(LOCK) $(UPGRADE) -c .ci/requirements-local.txt -c .ci/requirements-setup.txt \
		pyproject.toml --extra local --group setup --group dev -o .ci/requirements-dev.txt

clean: ## remove .venv and every cache; runs and buckets in .onward stay
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf functions/*.egg-info

.venv/local: .ci/requirements-local.txt .ci/requirements-setup.txt pyproject.toml
	@.ci/setup .ci/requirements-local.txt
	@touch $@

# A superset of the local set, so its stamp stands for both.
.venv/dev: .ci/requirements-dev.txt .ci/requirements-setup.txt pyproject.toml
	@.ci/setup .ci/requirements-dev.txt
	@touch .venv/local $@
